/*===- tarn.h - Tarn's runtime, the C interface -----------------------------*\
|
| Loads an artifact made by `tarn compile`, runs its functions, and keeps,
| saves and restores the training state. Needs neither Python nor a compiler.
|
|   tarn_artifact *artifact;
|   tarn_session *session;
|   tarn_artifact_open("gpt2.art", &artifact);
|   tarn_session_create(artifact, NULL, &session);
|   tarn_initialize(session, 0);
|   int step = tarn_artifact_find_function(artifact, "step");
|   tarn_run(session, step, inputs, outputs);      (again and again)
|   tarn_checkpoint_save(session, "runs/a", 1000, NULL);
|
| Conventions. Functions return a tarn_status; on anything but TARN_OK,
| tarn_last_error() has one sentence about it. Tensors are dense, row-major,
| little-endian. Sizes and offsets are in bytes, times in nanoseconds. Strings
| are UTF-8 and end with a zero byte. Pointers returned from an object live as
| long as the object. One session may be used by one thread at a time;
| different sessions, and an artifact that is not being closed, by several.
|
| An artifact is a program: a forged one can do what any program can. Load
| only artifacts that you trust. Damage by accident is always found.
|
\*===----------------------------------------------------------------------===*/
#ifndef TARN_RUNTIME_TARN_H
#define TARN_RUNTIME_TARN_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define TARN_API __attribute__((visibility("default")))
#else
#define TARN_API
#endif

/** The version of this interface; tarn_abi_version() returns the library's. */
#define TARN_ABI_VERSION 1

/*===-- Errors
 * --------------------------------------------------------------===*/

typedef enum tarn_status {
  TARN_OK = 0,
  TARN_BAD_ARGUMENT = 1, /**< the call itself is wrong */
  TARN_IO = 2,           /**< the operating system said no (disk full, ...) */
  TARN_DAMAGED = 3,      /**< a checksum does not match */
  TARN_INVALID = 4,      /**< the file breaks its format's rules */
  TARN_UNSUPPORTED = 5,  /**< this processor or this version cannot */
  TARN_NOT_FOUND = 6,    /**< no such file, function or tensor */
  TARN_MISMATCH = 7,     /**< a checkpoint of another model */
  TARN_NOT_FINITE = 8,   /**< a step made a NaN or an infinity */
  TARN_OUT_OF_MEMORY = 9,
  TARN_INTERNAL = 10 /**< a bug in Tarn */
} tarn_status;

/** TARN_ABI_VERSION of the library. */
TARN_API uint32_t tarn_abi_version(void);
/** What went wrong in this thread's last call that failed; never NULL. */
TARN_API const char *tarn_last_error(void);
/** "bad argument", "damaged", ... */
TARN_API const char *tarn_status_name(tarn_status status);

/*===-- Descriptions
 * --------------------------------------------------------===*/

/** Element types. TARN_I1 is one byte, 0 or 1. */
typedef enum tarn_dtype {
  TARN_F32 = 0,
  TARN_BF16 = 1,
  TARN_F16 = 2,
  TARN_F64 = 3,
  TARN_I32 = 4,
  TARN_I64 = 5,
  TARN_U8 = 6,
  TARN_I1 = 7
} tarn_dtype;

/** "f32", "bf16", ... */
TARN_API const char *tarn_dtype_name(tarn_dtype dtype);
/** Bytes of one element; 0 for an unknown type. */
TARN_API size_t tarn_dtype_size(tarn_dtype dtype);

/** Memory spaces: one allocation each. TARN_SCRATCH is what the threads need
 *  for themselves: the largest scratch of a kernel times the threads. */
typedef enum tarn_space {
  TARN_STATE = 0,
  TARN_ARENA = 1,
  TARN_INPUT = 2,
  TARN_OUTPUT = 3,
  TARN_CONSTANT = 4,
  TARN_SCRATCH = 5,
  TARN_HOST = 6 /**< what a step parks beside the device (pinned host memory) */
} tarn_space;

typedef struct tarn_tensor_info {
  const char *name; /**< "transformer.wte.weight" */
  const char *role; /**< "parameter", "optimizer", "loss", ...; or "" */
  tarn_dtype dtype;
  int32_t rank;
  const int64_t *shape; /**< `rank` extents */
  uint64_t bytes;
  int32_t saved;     /**< state: 1 if part of a checkpoint */
  int32_t trainable; /**< state: 1 if the optimizer changes it */
} tarn_tensor_info;

typedef struct tarn_function_info {
  const char *name; /**< "step" */
  const char *kind; /**< "init", "train", "eval", "generate", "forward" */
  int32_t inputs;
  int32_t outputs;
} tarn_function_info;

/*===-- Artifacts
 * -----------------------------------------------------------===*/

typedef struct tarn_artifact tarn_artifact;

/** Reads, checks and describes an artifact; runs nothing of it. */
TARN_API tarn_status tarn_artifact_open(const char *path,
                                        tarn_artifact **artifact);
/** The same from memory, which is copied. */
TARN_API tarn_status tarn_artifact_open_bytes(const void *bytes, size_t size,
                                              tarn_artifact **artifact);
/** Releases the artifact (NULL is fine); sessions keep what they need. */
TARN_API void tarn_artifact_close(tarn_artifact *artifact);

/** The model's name. */
TARN_API const char *tarn_artifact_model(const tarn_artifact *artifact);
/** 64 hexadecimal digits that change with any byte of the artifact. */
TARN_API const char *tarn_artifact_id(const tarn_artifact *artifact);
/** The manifest as JSON text; runtime/README.md has its schema. */
TARN_API const char *tarn_artifact_manifest(const tarn_artifact *artifact);
/** The seed that the model was compiled with. */
TARN_API int64_t tarn_artifact_seed(const tarn_artifact *artifact);

/** How many instruction sets the artifact has code for. */
TARN_API int32_t tarn_artifact_isa_count(const tarn_artifact *artifact);
/** "x86-64-v3", ...; NULL if `index` is out of range. */
TARN_API const char *tarn_artifact_isa(const tarn_artifact *artifact,
                                       int32_t index);
/** What this processor can run, best first, with spaces between. */
TARN_API const char *tarn_host_isas(void);

/** Tensors of the state: parameters, optimizer state, caches, counters. */
TARN_API int32_t tarn_artifact_state_count(const tarn_artifact *artifact);
TARN_API tarn_status tarn_artifact_state(const tarn_artifact *artifact,
                                         int32_t index, tarn_tensor_info *info);

TARN_API int32_t tarn_artifact_function_count(const tarn_artifact *artifact);
/** The index of a function, or -1. */
TARN_API int32_t tarn_artifact_find_function(const tarn_artifact *artifact,
                                             const char *name);
TARN_API tarn_status tarn_artifact_function(const tarn_artifact *artifact,
                                            int32_t function,
                                            tarn_function_info *info);
TARN_API tarn_status tarn_artifact_input(const tarn_artifact *artifact,
                                         int32_t function, int32_t index,
                                         tarn_tensor_info *info);
TARN_API tarn_status tarn_artifact_output(const tarn_artifact *artifact,
                                          int32_t function, int32_t index,
                                          tarn_tensor_info *info);

/*===-- Sessions
 * ------------------------------------------------------------===*/

/** Loaded code, the state and the threads that run steps on it. */
typedef struct tarn_session tarn_session;

typedef struct tarn_session_options {
  uint32_t struct_size; /**< sizeof(tarn_session_options) */
  const char *isa;      /**< NULL: the best that processor and artifact share */
  int32_t threads;      /**< 0: the processors this process may use */
  int32_t poison;       /**< 1: memory that nobody owns holds NaN; see README */
  int32_t profile;      /**< 1: measure each kernel */
} tarn_session_options;

/** Loads the code and allocates the state, zeroed. `options` may be NULL. */
TARN_API tarn_status tarn_session_create(const tarn_artifact *artifact,
                                         const tarn_session_options *options,
                                         tarn_session **session);
/** Stops the threads and frees everything (NULL is fine). */
TARN_API void tarn_session_destroy(tarn_session *session);

/** The instruction set in use. */
TARN_API const char *tarn_session_isa(const tarn_session *session);
/** Changes the number of threads (0: the default); results do not depend on
 *  it. More threads than processors work, slowly. At most 1024. */
TARN_API tarn_status tarn_session_set_threads(tarn_session *session,
                                              int32_t threads);
TARN_API int32_t tarn_session_threads(const tarn_session *session);

/** Runs the artifact's `init` function: all of the state from a seed. */
TARN_API tarn_status tarn_initialize(tarn_session *session, uint64_t seed);

/** Runs a function. `inputs[i]` has the bytes of its i-th input; `outputs[i]`
 *  gets those of its i-th output, or is NULL. `inputs` (`outputs`) itself may
 *  be NULL if there are none (if none is wanted). */
TARN_API tarn_status tarn_run(tarn_session *session, int32_t function,
                              const void *const *inputs, void *const *outputs);

/** Copies a tensor of the state out of or into the session; `bytes` must be
 *  its size. */
TARN_API tarn_status tarn_state_read(const tarn_session *session,
                                     const char *name, void *to, size_t bytes);
TARN_API tarn_status tarn_state_write(tarn_session *session, const char *name,
                                      const void *from, size_t bytes);
/** The tensor itself, without a copy; NULL if there is none of that name. Do
 *  not touch it during tarn_run. */
TARN_API void *tarn_state_data(tarn_session *session, const char *name);

/** SHA-256 of all saved state (names, types, shapes, bytes) in the order of
 *  the names, as 64 hexadecimal digits and a zero byte. */
TARN_API tarn_status tarn_weight_hash(const tarn_session *session,
                                      char digest[65]);

/** Bytes that a space holds now: for the state and constants what the manifest
 *  says; for the others the largest of the functions run so far.
 */
TARN_API uint64_t tarn_allocated_bytes(const tarn_session *session,
                                       tarn_space space);
/** The same by the artifact's manifest: what the plan says that the functions
 *  run so far need. */
TARN_API uint64_t tarn_predicted_bytes(const tarn_session *session,
                                       tarn_space space);
/** TARN_OK if every space holds what is predicted, in one allocation; else
 *  TARN_INTERNAL: a bug in Tarn. tarn_run checks this too. */
TARN_API tarn_status tarn_check_memory(const tarn_session *session);

/*===-- Checkpoints
 * ---------------------------------------------------------===*/

/** Writes FOLDER/STEP/state.safetensors, at once or not at all. If `written`
 *  is not NULL it gets that path, to be released with tarn_free. */
TARN_API tarn_status tarn_checkpoint_save(tarn_session *session,
                                          const char *folder, int64_t step,
                                          char **written);
/** Loads a checkpoint: the file, its folder, or a folder of checkpoints (the
 *  latest). All of it is checked before the state changes. `step` may be
 *  NULL. */
TARN_API tarn_status tarn_checkpoint_load(tarn_session *session,
                                          const char *path, int64_t *step);
TARN_API void tarn_free(char *text);

/*===-- Profile
 * -------------------------------------------------------------===*/

typedef struct tarn_kernel_time {
  const char *name; /**< the kernel */
  const char *file; /**< model source, or "" */
  int64_t line;
  uint64_t launches;
  uint64_t nanoseconds; /**< of all launches */
  int64_t flops;        /**< of one launch */
  int64_t bytes;        /**< of one launch */
} tarn_kernel_time;

/** Switches measuring on or off, and forgets what was measured. */
TARN_API tarn_status tarn_profile_set(tarn_session *session, int32_t on);
TARN_API int32_t tarn_profile_count(const tarn_session *session);
TARN_API tarn_status tarn_profile_get(const tarn_session *session,
                                      int32_t kernel, tarn_kernel_time *time);

#ifdef __cplusplus
}
#endif

#endif /* TARN_RUNTIME_TARN_H */
