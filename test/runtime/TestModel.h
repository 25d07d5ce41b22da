//===- TestModel.h - A small artifact written by hand ----------*- C++ -*-===//
#ifndef TARN_TEST_RUNTIME_TESTMODEL_H
#define TARN_TEST_RUNTIME_TESTMODEL_H

#include "runtime/Artifact.h"
#include "runtime/Manifest.h"
#include "runtime/Model.h"
#include "runtime/Session.h"

#include <memory>
#include <string>

namespace tarn::rt::test {

/// The manifest of the bigram model in kernels.c: functions init, step,
/// validate, sample, subnormal, peek, park; and with
/// bugs: stray, scribble, meddle, spill, late.
Manifest bigramManifest(const std::string &isa = "x86-64");

/// What turns a target of that manifest into one for a GPU: the same functions,
/// a thread block in place of a block, scratch in shared memory, every argument
/// a parameter. Its code is the section code.1, one image of `imageBytes`.
Target cudaTarget(const Target &cpu, const std::string &isa,
                  uint64_t imageBytes);

/// The artifact with that manifest; the kernels come from the file that the
/// build made of kernels.c.
std::string bigramArtifact(const Manifest &manifest = bigramManifest());

/// An artifact with any manifest text.
std::string artifactWith(const std::string &manifestText);

/// The loaded model.
std::shared_ptr<const Model> bigramModel();

/// A session on it.
std::unique_ptr<Session> bigramSession(const SessionOptions &options = {});

/// Text with structure that a bigram model can learn; bytes below 64.
std::string bigramText(size_t bytes);

/// A new folder that is removed, with its files, at the end.
class TemporaryFolder {
public:
  TemporaryFolder();
  ~TemporaryFolder();
  const std::string path;
  std::string operator/(const std::string &name) const {
    return path + "/" + name;
  }
};

} // namespace tarn::rt::test

#endif // TARN_TEST_RUNTIME_TESTMODEL_H
