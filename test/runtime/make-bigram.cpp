// Writes the test model and a text for it: make-bigram ARTIFACT TEXT.

#include "runtime/File.h"
#include "test/runtime/TestModel.h"

using namespace tarn::rt;

int main(int argc, char **argv) {
  if (argc != 3)
    return 2;
  return writeFile(argv[1], test::bigramArtifact()).ok() &&
                 writeFile(argv[2], test::bigramText(20000)).ok()
             ? 0
             : 1;
}
