import os
import sys

import lit.formats
import lit.llvm

lit.llvm.initialize(lit_config, config)

config.name = "tarn"
config.test_format = lit.formats.ShTest(execute_external=False)
config.suffixes = [".mlir", ".tarn", ".test"]
config.excludes = ["Inputs"]
config.test_source_root = os.path.dirname(__file__)
config.test_exec_root = config.tarn_obj_root

llvm = lit.llvm.llvm_config
llvm.with_environment("PATH", config.llvm_tools_dir, append_path=True)
llvm.with_environment("PATH", config.tarn_tools_dir, append_path=True)
llvm.with_environment("FILECHECK_OPTS", "--enable-var-scope")
config.substitutions.append(("%python", sys.executable))
config.substitutions.append(("%examples", os.path.join(config.tarn_source_root, "examples")))
llvm.add_tool_substitutions(
    ["tarn-opt", "FileCheck", "not", "split-file"],
    [config.tarn_tools_dir, config.llvm_tools_dir])
# TARN_ROUNDTRIP=1 runs every tarn-opt of the suite through the printer, parser
# and bytecode as well.
if os.environ.get("TARN_ROUNDTRIP"):
    config.substitutions.insert(0, ("tarn-opt", "tarn-opt --verify-roundtrip"))
