#include "runtime/tarn.h"

#include "runtime/File.h"
#include "test/runtime/TestModel.h"

#include <cstring>
#include <gtest/gtest.h>
#include <thread>

using namespace tarn::rt::test;

namespace {
struct Abi : testing::Test {
  tarn_artifact *artifact = nullptr;
  tarn_session *session = nullptr;
  std::string bytes = bigramArtifact();

  void SetUp() override {
    ASSERT_EQ(tarn_artifact_open_bytes(bytes.data(), bytes.size(), &artifact),
              TARN_OK)
        << tarn_last_error();
    ASSERT_EQ(tarn_session_create(artifact, nullptr, &session), TARN_OK)
        << tarn_last_error();
  }
  void TearDown() override {
    tarn_session_destroy(session);
    tarn_artifact_close(artifact);
  }
};
} // namespace

TEST_F(Abi, Describes) {
  EXPECT_EQ(tarn_abi_version(), unsigned(TARN_ABI_VERSION));
  EXPECT_STREQ(tarn_artifact_model(artifact), "bigram");
  EXPECT_EQ(std::strlen(tarn_artifact_id(artifact)), 64u);
  EXPECT_EQ(tarn_artifact_seed(artifact), 7);
  EXPECT_EQ(tarn_artifact_manifest(artifact)[0], '{');
  EXPECT_EQ(tarn_artifact_isa_count(artifact), 1);
  EXPECT_STREQ(tarn_artifact_isa(artifact, 0), "x86-64");
  EXPECT_EQ(tarn_artifact_isa(artifact, 1), nullptr);
  EXPECT_STREQ(tarn_session_isa(session), "x86-64");
  EXPECT_EQ(tarn_artifact_state_count(artifact), 4);
  tarn_tensor_info info;
  ASSERT_EQ(tarn_artifact_state(artifact, 0, &info), TARN_OK);
  EXPECT_STREQ(info.name, "table.weight");
  EXPECT_STREQ(info.role, "parameter");
  EXPECT_EQ(info.dtype, TARN_F32);
  EXPECT_EQ(info.rank, 2);
  EXPECT_EQ(info.shape[1], 64);
  EXPECT_EQ(info.bytes, 16384u);
  EXPECT_EQ(info.saved, 1);
  EXPECT_EQ(info.trainable, 1);
  EXPECT_EQ(tarn_artifact_state(artifact, 4, &info), TARN_BAD_ARGUMENT);
  EXPECT_STREQ(tarn_last_error(), "there is no state tensor 4");
  EXPECT_EQ(tarn_artifact_state(artifact, -1, &info), TARN_BAD_ARGUMENT);
  int32_t step = tarn_artifact_find_function(artifact, "step");
  EXPECT_EQ(step, 1);
  EXPECT_EQ(tarn_artifact_find_function(artifact, "nothing"), -1);
  tarn_function_info function;
  ASSERT_EQ(tarn_artifact_function(artifact, step, &function), TARN_OK);
  EXPECT_STREQ(function.kind, "train");
  EXPECT_EQ(function.inputs, 2);
  EXPECT_EQ(function.outputs, 4);
  ASSERT_EQ(tarn_artifact_input(artifact, step, 1, &info), TARN_OK);
  EXPECT_STREQ(info.name, "targets");
  ASSERT_EQ(tarn_artifact_output(artifact, step, 2, &info), TARN_OK);
  EXPECT_EQ(info.dtype, TARN_I1);
  EXPECT_EQ(tarn_artifact_output(artifact, step, 4, &info), TARN_BAD_ARGUMENT);
  EXPECT_EQ(tarn_artifact_output(artifact, 99, 0, &info), TARN_BAD_ARGUMENT);
  EXPECT_STREQ(tarn_dtype_name(TARN_BF16), "bf16");
  EXPECT_EQ(tarn_dtype_size(TARN_I64), 8u);
}

TEST_F(Abi, RunsAndKeepsState) {
  ASSERT_EQ(tarn_initialize(session, 1), TARN_OK);
  char first[65], second[65];
  ASSERT_EQ(tarn_weight_hash(session, first), TARN_OK);
  int32_t tokens[128] = {}, targets[128] = {};
  const void *inputs[] = {tokens, targets};
  float loss = -1;
  void *outputs[] = {&loss, nullptr, nullptr, nullptr};
  ASSERT_EQ(tarn_run(session, 1, inputs, outputs), TARN_OK)
      << tarn_last_error();
  EXPECT_GT(loss, 1);
  ASSERT_EQ(tarn_weight_hash(session, second), TARN_OK);
  EXPECT_STRNE(first, second);
  int32_t count = 0;
  ASSERT_EQ(tarn_state_read(session, "optimizer.step", &count, 4), TARN_OK);
  EXPECT_EQ(count, 1);
  count = 41;
  ASSERT_EQ(tarn_state_write(session, "optimizer.step", &count, 4), TARN_OK);
  EXPECT_EQ(*static_cast<int32_t *>(tarn_state_data(session, "optimizer.step")),
            41);
  EXPECT_EQ(tarn_state_read(session, "optimizer.step", &count, 8),
            TARN_BAD_ARGUMENT);
  EXPECT_STREQ(tarn_last_error(), "`optimizer.step` has 4 bytes, not 8");
  EXPECT_EQ(tarn_state_read(session, "none", &count, 4), TARN_NOT_FOUND);
  EXPECT_EQ(tarn_state_data(session, "none"), nullptr);
  EXPECT_EQ(tarn_run(session, 1, nullptr, nullptr), TARN_BAD_ARGUMENT);
  EXPECT_EQ(tarn_run(session, -1, nullptr, nullptr), TARN_BAD_ARGUMENT);
  EXPECT_EQ(tarn_run(nullptr, 0, nullptr, nullptr), TARN_BAD_ARGUMENT);
  EXPECT_EQ(tarn_allocated_bytes(session, TARN_STATE), 32768u + 128u);
  EXPECT_EQ(tarn_allocated_bytes(session, TARN_INPUT), 1024u);
  for (int space = TARN_STATE; space <= TARN_HOST; ++space)
    EXPECT_EQ(tarn_allocated_bytes(session, tarn_space(space)),
              tarn_predicted_bytes(session, tarn_space(space)))
        << space;
  EXPECT_EQ(tarn_check_memory(session), TARN_OK);
  EXPECT_EQ(tarn_check_memory(nullptr), TARN_BAD_ARGUMENT);
}

TEST_F(Abi, Checkpoints) {
  TemporaryFolder folder;
  ASSERT_EQ(tarn_initialize(session, 1), TARN_OK);
  char saved[65], loaded[65];
  tarn_weight_hash(session, saved);
  char *path = nullptr;
  ASSERT_EQ(tarn_checkpoint_save(session, folder.path.c_str(), 12, &path),
            TARN_OK)
      << tarn_last_error();
  EXPECT_EQ(path, folder / "12/state.safetensors");
  tarn_free(path);
  ASSERT_EQ(tarn_initialize(session, 2), TARN_OK);
  int64_t step = 0;
  ASSERT_EQ(tarn_checkpoint_load(session, folder.path.c_str(), &step), TARN_OK);
  EXPECT_EQ(step, 12);
  tarn_weight_hash(session, loaded);
  EXPECT_STREQ(saved, loaded);
  EXPECT_EQ(tarn_checkpoint_load(session, "/none", nullptr), TARN_NOT_FOUND);
}

TEST_F(Abi, SessionsOutliveTheArtifact) {
  tarn_artifact_close(artifact);
  artifact = nullptr;
  EXPECT_EQ(tarn_initialize(session, 1), TARN_OK);
}

TEST_F(Abi, Options) {
  tarn_session_options options = {};
  tarn_session *other = nullptr;
  EXPECT_EQ(tarn_session_create(artifact, &options, &other), TARN_BAD_ARGUMENT);
  options.struct_size = sizeof options;
  options.threads = -1;
  EXPECT_EQ(tarn_session_create(artifact, &options, &other), TARN_BAD_ARGUMENT);
  options.threads = 2;
  options.isa = "x86-64-v9";
  EXPECT_EQ(tarn_session_create(artifact, &options, &other), TARN_UNSUPPORTED);
  EXPECT_EQ(other, nullptr);
  EXPECT_EQ(std::string(tarn_last_error())
                .find("no code for x86-64-v9 in the artifact: the artifact "
                      "has code for x86-64; this processor runs "),
            0u);
  options.isa = "x86-64";
  options.profile = 1;
  ASSERT_EQ(tarn_session_create(artifact, &options, &other), TARN_OK);
  EXPECT_EQ(tarn_session_threads(other), 2);
  ASSERT_EQ(tarn_session_set_threads(other, 5), TARN_OK);
  EXPECT_EQ(tarn_session_threads(other), 5);
  ASSERT_EQ(tarn_initialize(other, 0), TARN_OK);
  tarn_kernel_time time;
  ASSERT_EQ(tarn_profile_get(other, 0, &time), TARN_OK);
  EXPECT_STREQ(time.name, "init");
  EXPECT_STREQ(time.file, "bigram.tarn");
  EXPECT_EQ(time.line, 3);
  EXPECT_EQ(time.launches, 1u);
  EXPECT_EQ(tarn_profile_count(other), 14);
  EXPECT_EQ(tarn_profile_get(other, 14, &time), TARN_BAD_ARGUMENT);
  tarn_session_destroy(other);
}

TEST_F(Abi, ErrorsAreOfTheThread) {
  EXPECT_EQ(tarn_artifact_open("/none", nullptr), TARN_BAD_ARGUMENT);
  tarn_artifact *other = nullptr;
  EXPECT_EQ(tarn_artifact_open("/none", &other), TARN_NOT_FOUND);
  EXPECT_EQ(other, nullptr);
  EXPECT_STREQ(tarn_last_error(),
               "cannot open `/none`: No such file or directory");
  std::thread([] { EXPECT_STREQ(tarn_last_error(), ""); }).join();
  bytes[bytes.size() / 2] ^= 1;
  EXPECT_EQ(tarn_artifact_open_bytes(bytes.data(), bytes.size(), &other),
            TARN_DAMAGED);
  EXPECT_STREQ(tarn_status_name(TARN_DAMAGED), "damaged");
}
