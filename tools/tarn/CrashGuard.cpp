//===- CrashGuard.cpp - a crash of ours becomes exit 70 -------------------===//
//
// The handler runs in a process whose heap may be broken: everything it writes
// is prepared beforehand, and it calls only async-signal-safe functions.
//
//===----------------------------------------------------------------------===//

#include "tools/tarn/CrashGuard.h"
#include "tools/tarn/Options.h"

#include <array>
#include <csignal>
#include <cstdio>
#include <fcntl.h>
#include <fstream>
#include <sstream>
#include <string_view>
#include <sys/stat.h>
#include <unistd.h>

using namespace tarn::cli;

namespace {
std::string folder, commandPath, modelPath, commandText, modelText;
std::array<char, 1 << 16> handlerStack;
} // namespace

static void put(int fd, std::string_view text) {
  while (!text.empty()) {
    ssize_t written = write(fd, text.data(), text.size());
    if (written <= 0)
      return;
    text.remove_prefix(written);
  }
}

/// Writes the reproducer and says where it is. Async-signal-safe.
static void writeReproducer() {
  bool written = mkdir(folder.c_str(), 0777) == 0;
  if (written) {
    int fd = open(commandPath.c_str(), O_WRONLY | O_CREAT | O_EXCL, 0666);
    put(fd, commandText);
    close(fd);
    if (!modelText.empty()) {
      fd = open(modelPath.c_str(), O_WRONLY | O_CREAT | O_EXCL, 0666);
      put(fd, modelText);
      close(fd);
    }
  }
  put(STDERR_FILENO, "note: this is a bug in Tarn, not in your model; please "
                     "report it");
  if (written) {
    put(STDERR_FILENO, " with the folder ");
    put(STDERR_FILENO, folder);
  }
  put(STDERR_FILENO, "\n");
}

static void onFatalSignal(int signal) {
  put(STDERR_FILENO, "\nerror: Tarn crashed (");
  put(STDERR_FILENO, signal == SIGSEGV   ? "invalid memory access"
                     : signal == SIGABRT ? "failed internal check"
                     : signal == SIGFPE  ? "arithmetic fault"
                     : signal == SIGILL  ? "illegal instruction"
                                         : "bus error");
  put(STDERR_FILENO, ")\n");
  writeReproducer();
  _exit(internalError);
}

void tarn::cli::installCrashGuard(const std::vector<std::string> &words,
                                  const std::string &model) {
  folder = "tarn-reproducer-" + std::to_string(getpid());
  commandPath = folder + "/command";
  for (const std::string &word : words)
    commandText += "'" + word + "' ";
  commandText += "\n";
  // Artifacts are not copied: they hold weights' shapes only, but may be large.
  if (model.ends_with(".tarn") || model.ends_with(".json")) {
    std::ifstream in(model, std::ios::binary);
    std::stringstream text;
    text << in.rdbuf();
    modelText = text.str();
    modelPath = folder + "/model" + model.substr(model.size() - 5);
  }
  stack_t stack{};
  stack.ss_sp = handlerStack.data();
  stack.ss_size = handlerStack.size();
  sigaltstack(&stack, nullptr);
  struct sigaction action{};
  action.sa_handler = onFatalSignal;
  action.sa_flags = SA_ONSTACK | SA_RESETHAND;
  for (int signal : {SIGSEGV, SIGABRT, SIGFPE, SIGILL, SIGBUS})
    sigaction(signal, &action, nullptr);
}

int tarn::cli::reportInternalError(const std::string &message) {
  std::fprintf(stderr, "error: %s\n", message.c_str());
  std::fflush(stderr);
  writeReproducer();
  return internalError;
}
