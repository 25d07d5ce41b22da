//===- Program.h - A function's program, ready to run ----------*- C++ -*-===//
#ifndef TARN_RUNTIME_PROGRAM_H
#define TARN_RUNTIME_PROGRAM_H

#include "runtime/Code.h"
#include "runtime/CopyStream.h"
#include "runtime/Debugger.h"
#include "runtime/Device.h"
#include "runtime/Manifest.h"
#include "runtime/Pool.h"

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <vector>

namespace tarn::rt {

/// The queues of copies beside the kernels; null where a session's programs
/// start none.
struct CopyStreams {
  std::unique_ptr<CopyStream> toHost, others;
};

/// The operations of a function with every address worked out, so that a step
/// does nothing but launch.
class Program {
public:
  /// Binds a validated function to loaded kernels and spaces.
  Program(const Function &function, const std::vector<KernelFunction> &kernels,
          const SpaceBases &bases, CopyStreams &streams);

  /// Runs it once; `profile` and `debugger` may be null. Only a debugger finds
  /// errors.
  Status run(Pool &pool, Profile *profile, Debugger *debugger);

private:
  struct Bound {
    Op::Kind kind;
    const Op *source = nullptr;
    KernelFunction kernel = nullptr;
    uint32_t index = 0; ///< of the kernel, for the profile
    int64_t count = 0;  ///< blocks of a launch, times of a repeat
    uint64_t bytes = 0; ///< of a copy or fill
    uint8_t value = 0;  ///< of a fill
    uint32_t first = 0; ///< first of its addresses
    uint32_t arguments = 0;
    uint32_t bodyEnd = 0;          ///< of a repeat: one past its last operation
    CopyStream *stream = nullptr;  ///< of a started copy
    std::vector<uint32_t> flights; ///< of a start or wait
    bool moves = false;            ///< some address moves in a repeat
  };

  void bind(const std::vector<Op> &ops,
            const std::vector<KernelFunction> &kernels,
            const SpaceBases &bases);
  Status runRange(size_t begin, size_t end, uint64_t iteration, Pool &pool,
                  Profile *profile, Debugger *debugger);
  Status runDebugged(const Bound &op, Pool &pool, Debugger &debugger);
  void runOne(const Bound &op, Pool &pool);

  /// What was started, by token.
  struct Flight {
    CopyStream *stream = nullptr;
    CopyStream::Ticket ticket = 0;
  };
  std::map<uint32_t, uint32_t> flightOf; ///< by token of the artifact
  std::vector<Flight> flights;
  CopyStreams &streams;

  std::vector<Bound> operations;
  std::vector<uint8_t *> start;  ///< addresses at the first iteration
  std::vector<uint64_t> strides; ///< bytes an iteration adds
  std::vector<void *> current;   ///< addresses now
};

} // namespace tarn::rt

#endif // TARN_RUNTIME_PROGRAM_H
