//===- Abi.cpp - The C interface over the C++ one -------------------------===//
//
// Nothing here computes: every function checks its pointers, calls one method,
// and turns errors (and exceptions of the standard library) into a status and
// a text of this thread.
//
//===----------------------------------------------------------------------===//

#include "runtime/tarn.h"

#include "runtime/Checkpoint.h"
#include "runtime/Cpu.h"
#include "runtime/Model.h"
#include "runtime/Session.h"

#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <new>

using namespace tarn::rt;

static_assert(int(Code::Internal) == TARN_INTERNAL);
static_assert(int(Code::NotFinite) == TARN_NOT_FINITE);
static_assert(int(DType::I1) == TARN_I1 && int(DType::F64) == TARN_F64);
static_assert(int(Space::Constant) == TARN_CONSTANT);

struct tarn_artifact {
  std::shared_ptr<const Model> model;
};

struct tarn_session {
  std::unique_ptr<Session> session;
};

//===----------------------------------------------------------------------===//
// Errors
//===----------------------------------------------------------------------===//

static std::string &lastError() {
  static thread_local std::string text;
  return text;
}

static tarn_status report(const Status &status) {
  if (!status.ok())
    lastError() = status.message();
  return static_cast<tarn_status>(status.code());
}

/// Runs `body`, which returns a Status, and lets no exception out.
template <typename Body> static tarn_status guarded(Body body) noexcept {
  try {
    return report(body());
  } catch (const std::bad_alloc &) {
    try {
      lastError() = "out of memory";
    } catch (...) {
    }
    return TARN_OUT_OF_MEMORY;
  } catch (const std::exception &error) {
    try {
      lastError() = std::string("internal error: ") + error.what();
    } catch (...) {
    }
    return TARN_INTERNAL;
  }
}

static Status nullArgument() {
  return Status(Code::BadArgument, "an argument is NULL");
}

uint32_t tarn_abi_version(void) { return TARN_ABI_VERSION; }

const char *tarn_last_error(void) { return lastError().c_str(); }

const char *tarn_status_name(tarn_status status) {
  switch (status) {
  case TARN_OK:
    return "ok";
  case TARN_BAD_ARGUMENT:
    return "bad argument";
  case TARN_IO:
    return "input or output";
  case TARN_DAMAGED:
    return "damaged";
  case TARN_INVALID:
    return "invalid";
  case TARN_UNSUPPORTED:
    return "unsupported";
  case TARN_NOT_FOUND:
    return "not found";
  case TARN_MISMATCH:
    return "mismatch";
  case TARN_NOT_FINITE:
    return "not finite";
  case TARN_OUT_OF_MEMORY:
    return "out of memory";
  case TARN_INTERNAL:
    return "internal error";
  }
  return "unknown";
}

const char *tarn_dtype_name(tarn_dtype dtype) {
  return unsigned(dtype) < dtypeCount ? dtypeName(static_cast<DType>(dtype))
                                      : "?";
}

size_t tarn_dtype_size(tarn_dtype dtype) {
  return unsigned(dtype) < dtypeCount ? dtypeSize(static_cast<DType>(dtype))
                                      : 0;
}

//===----------------------------------------------------------------------===//
// Artifacts
//===----------------------------------------------------------------------===//

static Status wrap(Result<std::shared_ptr<const Model>> model,
                   tarn_artifact **artifact) {
  if (!model.ok())
    return model.status();
  *artifact = new tarn_artifact{model.take()};
  return {};
}

tarn_status tarn_artifact_open(const char *path, tarn_artifact **artifact) {
  return guarded([&] {
    if (!path || !artifact)
      return nullArgument();
    *artifact = nullptr;
    return wrap(Model::open(path), artifact);
  });
}

tarn_status tarn_artifact_open_bytes(const void *bytes, size_t size,
                                     tarn_artifact **artifact) {
  return guarded([&] {
    if ((!bytes && size) || !artifact)
      return nullArgument();
    *artifact = nullptr;
    return wrap(Model::parse(bytes, size), artifact);
  });
}

void tarn_artifact_close(tarn_artifact *artifact) { delete artifact; }

const char *tarn_artifact_model(const tarn_artifact *artifact) {
  return artifact->model->manifest().model.c_str();
}

const char *tarn_artifact_id(const tarn_artifact *artifact) {
  return artifact->model->id().c_str();
}

const char *tarn_artifact_manifest(const tarn_artifact *artifact) {
  return artifact->model->manifestText().c_str();
}

int64_t tarn_artifact_seed(const tarn_artifact *artifact) {
  return artifact->model->manifest().seed;
}

int32_t tarn_artifact_isa_count(const tarn_artifact *artifact) {
  return static_cast<int32_t>(artifact->model->manifest().targets.size());
}

const char *tarn_artifact_isa(const tarn_artifact *artifact, int32_t index) {
  const std::vector<Target> &targets = artifact->model->manifest().targets;
  if (index < 0 || static_cast<size_t>(index) >= targets.size())
    return nullptr;
  return targets[static_cast<size_t>(index)].isa.c_str();
}

const char *tarn_host_isas(void) {
  static const std::string text = [] {
    std::string words;
    for (const std::string &isa : hostIsas())
      words += (words.empty() ? "" : " ") + isa;
    return words;
  }();
  return text.c_str();
}

template <typename T>
static Status element(const std::vector<T> &list, int32_t index,
                      const char *what, const T *&found) {
  if (index < 0 || static_cast<size_t>(index) >= list.size())
    return Status(Code::BadArgument, std::string("there is no ") + what + " " +
                                         std::to_string(index));
  found = &list[static_cast<size_t>(index)];
  return {};
}

static Status describe(const std::vector<TensorDesc> &list, int32_t index,
                       const char *what, tarn_tensor_info *info) {
  if (!info)
    return nullArgument();
  const TensorDesc *tensor = nullptr;
  if (Status status = element(list, index, what, tensor); !status.ok())
    return status;
  info->name = tensor->name.c_str();
  info->role = tensor->role.c_str();
  info->dtype = static_cast<tarn_dtype>(tensor->dtype);
  info->rank = static_cast<int32_t>(tensor->shape.size());
  info->shape = tensor->shape.data();
  info->bytes = tensor->bytes;
  info->saved = tensor->save;
  info->trainable = tensor->trainable;
  return {};
}

/// All targets have the same functions; the first describes them.
static const std::vector<Function> &functionsOf(const tarn_artifact *artifact) {
  return artifact->model->manifest().targets.front().functions;
}

int32_t tarn_artifact_state_count(const tarn_artifact *artifact) {
  return static_cast<int32_t>(artifact->model->manifest().state.size());
}

tarn_status tarn_artifact_state(const tarn_artifact *artifact, int32_t index,
                                tarn_tensor_info *info) {
  return guarded([&] {
    return artifact ? describe(artifact->model->manifest().state, index,
                               "state tensor", info)
                    : nullArgument();
  });
}

int32_t tarn_artifact_function_count(const tarn_artifact *artifact) {
  return static_cast<int32_t>(functionsOf(artifact).size());
}

int32_t tarn_artifact_find_function(const tarn_artifact *artifact,
                                    const char *name) {
  const std::vector<Function> &functions = functionsOf(artifact);
  for (size_t i = 0; name && i < functions.size(); ++i)
    if (functions[i].name == name)
      return static_cast<int32_t>(i);
  return -1;
}

tarn_status tarn_artifact_function(const tarn_artifact *artifact,
                                   int32_t function, tarn_function_info *info) {
  return guarded([&] {
    if (!artifact || !info)
      return nullArgument();
    const Function *found = nullptr;
    Status status = element(functionsOf(artifact), function, "function", found);
    if (status.ok())
      *info = {found->name.c_str(), found->kind.c_str(),
               static_cast<int32_t>(found->inputs.size()),
               static_cast<int32_t>(found->outputs.size())};
    return status;
  });
}

tarn_status tarn_artifact_input(const tarn_artifact *artifact, int32_t function,
                                int32_t index, tarn_tensor_info *info) {
  return guarded([&] {
    if (!artifact)
      return nullArgument();
    const Function *found = nullptr;
    Status status = element(functionsOf(artifact), function, "function", found);
    return status.ok() ? describe(found->inputs, index, "input", info) : status;
  });
}

tarn_status tarn_artifact_output(const tarn_artifact *artifact,
                                 int32_t function, int32_t index,
                                 tarn_tensor_info *info) {
  return guarded([&] {
    if (!artifact)
      return nullArgument();
    const Function *found = nullptr;
    Status status = element(functionsOf(artifact), function, "function", found);
    return status.ok() ? describe(found->outputs, index, "output", info)
                       : status;
  });
}

//===----------------------------------------------------------------------===//
// Sessions
//===----------------------------------------------------------------------===//

tarn_status tarn_session_create(const tarn_artifact *artifact,
                                const tarn_session_options *options,
                                tarn_session **session) {
  return guarded([&] {
    if (!artifact || !session)
      return nullArgument();
    *session = nullptr;
    SessionOptions chosen;
    if (options) {
      if (options->struct_size != sizeof(tarn_session_options))
        return Status(Code::BadArgument,
                      "struct_size is " + std::to_string(options->struct_size) +
                          ", not that of this version");
      if (options->threads < 0)
        return Status(Code::BadArgument, "the number of threads is negative");
      chosen.isa = options->isa ? options->isa : "";
      chosen.threads = static_cast<unsigned>(options->threads);
      chosen.poison = options->poison != 0;
      chosen.profile = options->profile != 0;
    }
    Result<std::unique_ptr<Session>> made =
        Session::create(artifact->model, chosen);
    if (!made.ok())
      return made.status();
    *session = new tarn_session{made.take()};
    return Status();
  });
}

void tarn_session_destroy(tarn_session *session) { delete session; }

const char *tarn_session_isa(const tarn_session *session) {
  return session->session->target().isa.c_str();
}

tarn_status tarn_session_set_threads(tarn_session *session, int32_t threads) {
  return guarded([&] {
    if (!session)
      return nullArgument();
    if (threads < 0)
      return Status(Code::BadArgument, "the number of threads is negative");
    return session->session->setThreads(static_cast<unsigned>(threads));
  });
}

int32_t tarn_session_threads(const tarn_session *session) {
  return static_cast<int32_t>(session->session->threads());
}

tarn_status tarn_initialize(tarn_session *session, uint64_t seed) {
  return guarded([&] {
    return session ? session->session->initialize(seed) : nullArgument();
  });
}

tarn_status tarn_run(tarn_session *session, int32_t function,
                     const void *const *inputs, void *const *outputs) {
  return guarded([&] {
    if (!session)
      return nullArgument();
    if (function < 0)
      return Status(Code::BadArgument,
                    "there is no function " + std::to_string(function));
    return session->session->run(static_cast<size_t>(function), inputs,
                                 outputs);
  });
}

/// A state tensor by name.
static Status findState(const tarn_session *session, const char *name,
                        const TensorDesc *&tensor) {
  if (!session || !name)
    return nullArgument();
  tensor = findTensor(session->session->manifest().state, name);
  if (!tensor)
    return Status(Code::NotFound,
                  std::string("there is no state tensor `") + name + "`");
  return {};
}

static Status checkSize(const char *name, uint64_t have, size_t given) {
  return have == given ? Status()
                       : Status(Code::BadArgument,
                                std::string("`") + name + "` has " +
                                    std::to_string(have) + " bytes, not " +
                                    std::to_string(given));
}

tarn_status tarn_state_read(const tarn_session *session, const char *name,
                            void *to, size_t bytes) {
  return guarded([&] {
    const TensorDesc *tensor = nullptr;
    Status status = findState(session, name, tensor);
    if (status.ok())
      status = checkSize(name, tensor->bytes, bytes);
    if (status.ok() && !to)
      status = nullArgument();
    return status.ok() ? session->session->readState(*tensor, to) : status;
  });
}

tarn_status tarn_state_write(tarn_session *session, const char *name,
                             const void *from, size_t bytes) {
  return guarded([&] {
    const TensorDesc *tensor = nullptr;
    Status status = findState(session, name, tensor);
    if (status.ok())
      status = checkSize(name, tensor->bytes, bytes);
    if (status.ok() && !from)
      status = nullArgument();
    return status.ok() ? session->session->writeState(*tensor, from) : status;
  });
}

void *tarn_state_data(tarn_session *session, const char *name) {
  void *data = nullptr;
  guarded([&] {
    const TensorDesc *tensor = nullptr;
    Status status = findState(session, name, tensor);
    if (!status.ok())
      return status;
    data = session->session->stateData(*tensor);
    return data || !tensor->bytes
               ? Status()
               : Status(Code::Unsupported,
                        "the state lies on a GPU; tarn_state_read copies it");
  });
  return data;
}

tarn_status tarn_weight_hash(const tarn_session *session, char digest[65]) {
  return guarded([&] {
    if (!session || !digest)
      return nullArgument();
    Result<Digest> hash = session->session->hashWeights();
    if (!hash.ok())
      return hash.status();
    std::string text = toHex(*hash);
    std::memcpy(digest, text.c_str(), 65);
    return Status();
  });
}

/// The space of the manifest, or nothing.
static std::optional<Space> spaceOf(tarn_space space) {
  switch (space) {
  case TARN_STATE:
    return Space::State;
  case TARN_ARENA:
    return Space::Arena;
  case TARN_INPUT:
    return Space::Input;
  case TARN_OUTPUT:
    return Space::Output;
  case TARN_CONSTANT:
    return Space::Constant;
  case TARN_HOST:
    return Space::Host;
  case TARN_SCRATCH:
    break;
  }
  return std::nullopt;
}

uint64_t tarn_allocated_bytes(const tarn_session *session, tarn_space space) {
  if (space == TARN_SCRATCH)
    return session->session->scratchBytes();
  std::optional<Space> known = spaceOf(space);
  return known ? session->session->allocatedBytes(*known) : 0;
}

uint64_t tarn_predicted_bytes(const tarn_session *session, tarn_space space) {
  if (space == TARN_SCRATCH)
    return session->session->predictedScratchBytes();
  std::optional<Space> known = spaceOf(space);
  return known ? session->session->predictedBytes(*known) : 0;
}

tarn_status tarn_check_memory(const tarn_session *session) {
  return guarded([&] {
    return session ? session->session->checkMemory() : nullArgument();
  });
}

//===----------------------------------------------------------------------===//
// Checkpoints and profile
//===----------------------------------------------------------------------===//

tarn_status tarn_checkpoint_save(tarn_session *session, const char *folder,
                                 int64_t step, char **written) {
  return guarded([&] {
    if (written)
      *written = nullptr;
    if (!session || !folder)
      return nullArgument();
    Result<std::string> path = saveCheckpoint(*session->session, folder, step);
    if (!path.ok())
      return path.status();
    if (written && !(*written = ::strdup(path->c_str())))
      return Status(Code::OutOfMemory, "out of memory");
    return Status();
  });
}

tarn_status tarn_checkpoint_load(tarn_session *session, const char *path,
                                 int64_t *step) {
  return guarded([&] {
    if (!session || !path)
      return nullArgument();
    Result<CheckpointInfo> info = loadCheckpoint(*session->session, path);
    if (!info.ok())
      return info.status();
    if (step)
      *step = info->step;
    return Status();
  });
}

void tarn_free(char *text) { std::free(text); }

tarn_status tarn_profile_set(tarn_session *session, int32_t on) {
  return guarded([&] {
    if (!session)
      return nullArgument();
    session->session->setProfile(on != 0);
    return Status();
  });
}

int32_t tarn_profile_count(const tarn_session *session) {
  return static_cast<int32_t>(session->session->target().kernels.size());
}

tarn_status tarn_profile_get(const tarn_session *session, int32_t kernel,
                             tarn_kernel_time *time) {
  return guarded([&] {
    if (!session || !time)
      return nullArgument();
    const Kernel *found = nullptr;
    Status status =
        element(session->session->target().kernels, kernel, "kernel", found);
    if (!status.ok())
      return status;
    const KernelTime &measured =
        session->session->profile().kernels[static_cast<size_t>(kernel)];
    const std::vector<Location> &locations =
        session->session->manifest().locations;
    bool known = found->location >= 0;
    const Location *place =
        known ? &locations[static_cast<size_t>(found->location)] : nullptr;
    *time = {found->name.c_str(),
             place ? place->file.c_str() : "",
             place ? place->line : 0,
             measured.launches,
             measured.nanoseconds,
             found->flops,
             found->bytes};
    return Status();
  });
}
