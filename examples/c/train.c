/* Trains a language model from an artifact, in plain C.

     cc train.c -I.. -ltarn_runtime -o train
     ./train gpt2.art text.txt 1000 runs/c

   The artifact comes from `tarn compile gpt2.tarn -o gpt2.art`. Every byte of
   the text is a token. The step function's inputs are `tokens` and `targets`,
   integers of shape [..., T]; targets are the tokens moved on by one. */

#include "runtime/tarn.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void check(tarn_status status) {
  if (status == TARN_OK)
    return;
  fprintf(stderr, "error: %s\n", tarn_last_error());
  exit(1);
}

/* Reads a whole file. */
static unsigned char *read_text(const char *path, size_t *size) {
  FILE *file = fopen(path, "rb");
  unsigned char *text;
  long length;
  if (!file) {
    fprintf(stderr, "error: cannot open %s\n", path);
    exit(1);
  }
  fseek(file, 0, SEEK_END);
  length = ftell(file);
  rewind(file);
  text = malloc(length > 0 ? (size_t)length : 1);
  if (length < 0 || !text ||
      fread(text, 1, (size_t)length, file) != (size_t)length) {
    fprintf(stderr, "error: cannot read %s\n", path);
    exit(1);
  }
  fclose(file);
  *size = (size_t)length;
  return text;
}

/* A generator that is good enough to pick windows of text. */
static uint64_t next_random(uint64_t *state) {
  *state = *state * 6364136223846793005u + 1442695040888963407u;
  return *state >> 33;
}

int main(int argc, char **argv) {
  tarn_artifact *artifact;
  tarn_session *session;
  tarn_function_info function;
  tarn_tensor_info info;
  const void *inputs[2] = {NULL, NULL};
  void *outputs[16] = {NULL};
  int32_t *tokens, *targets, step_index;
  float loss = 0;
  uint64_t random = 1;
  size_t size, length, count, row, i;
  unsigned char *text;
  long step, steps;
  char hash[65], *written;

  if (argc != 5) {
    fprintf(stderr, "usage: train ARTIFACT TEXT STEPS FOLDER\n");
    return 2;
  }
  check(tarn_artifact_open(argv[1], &artifact));
  check(tarn_session_create(artifact, NULL, &session));
  check(tarn_initialize(session, (uint64_t)tarn_artifact_seed(artifact)));
  text = read_text(argv[2], &size);
  steps = strtol(argv[3], NULL, 10);

  /* What does the step want? */
  step_index = tarn_artifact_find_function(artifact, "step");
  check(tarn_artifact_function(artifact, step_index, &function));
  check(tarn_artifact_input(artifact, step_index, 0, &info));
  if (function.inputs != 2 || function.outputs > 16 || info.dtype != TARN_I32 ||
      info.rank < 1) {
    fprintf(stderr, "error: not a language model's step\n");
    return 1;
  }
  length = (size_t)info.shape[info.rank - 1];
  count = (size_t)info.bytes / sizeof(int32_t);
  tokens = malloc(info.bytes);
  targets = malloc(info.bytes);
  if (!tokens || !targets || size <= length) {
    fprintf(stderr, "error: too little memory or text\n");
    return 1;
  }
  for (i = 0; i < 2; ++i) {
    check(tarn_artifact_input(artifact, step_index, (int32_t)i, &info));
    inputs[i] = strcmp(info.name, "targets") == 0 ? targets : tokens;
  }
  for (i = 0; i < (size_t)function.outputs; ++i) {
    check(tarn_artifact_output(artifact, step_index, (int32_t)i, &info));
    if (strcmp(info.name, "loss") == 0)
      outputs[i] = &loss;
  }

  printf("%s on %s, %d threads, state %llu bytes\n",
         tarn_artifact_model(artifact), tarn_session_isa(session),
         (int)tarn_session_threads(session),
         (unsigned long long)tarn_allocated_bytes(session, TARN_STATE));
  for (step = 1; step <= steps; ++step) {
    for (row = 0; row < count; row += length) {
      size_t start = next_random(&random) % (size - length);
      for (i = 0; i < length; ++i) {
        tokens[row + i] = text[start + i];
        targets[row + i] = text[start + i + 1];
      }
    }
    check(tarn_run(session, step_index, inputs, outputs));
    if (step == 1 || step == steps || step % 100 == 0)
      printf("step %ld  loss %.4f\n", step, loss);
  }

  check(tarn_checkpoint_save(session, argv[4], steps, &written));
  check(tarn_weight_hash(session, hash));
  printf("saved %s  weights %.12s\n", written, hash);
  tarn_free(written);
  free(tokens);
  free(targets);
  free(text);
  tarn_session_destroy(session);
  tarn_artifact_close(artifact);
  return 0;
}
