//===- CheckPlan.cpp - the plan checker, from C++ -------------------------===//

#include "test/checker/CheckPlan.h"

#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Program.h"
#include "llvm/Support/raw_ostream.h"

using namespace llvm;

std::string tarn::test::checkPlan(StringRef manifest) {
  SmallString<64> path, report;
  int file;
  if (llvm::sys::fs::createTemporaryFile("manifest", "json", file, path) ||
      llvm::sys::fs::createTemporaryFile("report", "txt", report))
    return "cannot make a temporary file";
  llvm::raw_fd_ostream(file, /*shouldClose=*/true) << manifest;
  std::optional<StringRef> redirects[] = {std::nullopt, StringRef(report),
                                          StringRef(report)};
  int code = llvm::sys::ExecuteAndWait(
      TARN_PYTHON, {TARN_PYTHON, TARN_PLAN_CHECKER, path}, std::nullopt,
      redirects, /*SecondsToWait=*/60);
  std::string message;
  if (code != 0) {
    auto text = llvm::MemoryBuffer::getFile(report);
    message = "the plan checker says: " +
              (text ? (*text)->getBuffer().str() : std::string("nothing"));
  }
  llvm::sys::fs::remove(path);
  llvm::sys::fs::remove(report);
  return message;
}
