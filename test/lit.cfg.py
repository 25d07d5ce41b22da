import os
import subprocess
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
    ["cuda-case", "cuda-compile", "host-run", "tarn-translate", "tarn-opt", "FileCheck", "not", "split-file"],
    [config.tarn_tools_dir, config.llvm_tools_dir])
# TARN_ROUNDTRIP=1 runs every tarn-opt of the suite through the printer, parser
# and bytecode as well.
if os.environ.get("TARN_ROUNDTRIP"):
    config.substitutions.insert(0, ("tarn-opt", "tarn-opt --verify-roundtrip"))

# Emitted CUDA kernels: the same text goes to the host compiler, for the model of
# a GPU in test/gpu/host_model, and to NVRTC where there is one.
config.substitutions.append(("%tile-programs", os.path.join(
    config.test_source_root, "dialects/Tile/programs")))
config.substitutions.append(("%gpu-run", " ".join([
    "env CXX=" + config.cxx, "TARN_GPU_BINARIES=" + config.tarn_tools_dir, "TARN_GPU_BUILD=%t.build",
    os.path.join(config.test_source_root, "gpu/run.sh")])))
config.substitutions.append(("%host-kernel", " ".join([
    config.cxx, "-std=c++20 -O1 -ffp-contract=off -w -fPIC -shared -fuse-ld=lld",
    "-I" + os.path.join(config.tarn_source_root, "compiler/Target/Cuda/device"),
    "-I" + os.path.join(config.test_source_root, "gpu/host_model"), "-x c++"])))
config.substitutions.append(("%host-cublaslt", os.path.join(config.tarn_tools_dir, "libtarn-host-cublaslt.so")))
config.substitutions.append(("%host-driver", os.path.join(config.tarn_tools_dir, "libtarn-host-driver.so")))
# The same, with each access checked (test/gpu/host_model/Checker.h).
config.substitutions.append(("%checked-kernel", " ".join([
    config.cxx, "-std=c++20 -O1 -gline-tables-only -ffp-contract=off -w -fPIC -shared -fuse-ld=lld",
    "-fsanitize=thread,alignment,bounds,shift-exponent,signed-integer-overflow",
    "-fno-sanitize-link-runtime"] + ["-Wl,--wrap=__ubsan_handle_" + check for check in (
        "type_mismatch_v1", "out_of_bounds", "shift_out_of_bounds",
        "add_overflow", "sub_overflow", "mul_overflow")] + [
    "-I" + os.path.join(config.tarn_source_root, "compiler/Target/Cuda/device"),
    "-I" + os.path.join(config.test_source_root, "gpu/host_model"), "-x c++"])))
cuda_compile = os.path.join(config.tarn_tools_dir, "cuda-compile")
if os.path.exists(cuda_compile) and subprocess.run(
        [cuda_compile, "--available"], capture_output=True).returncode == 0:
    config.available_features.add("nvrtc")
