# One helper for each kind of target, so that no binary gets MLIR twice and all
# targets share one precompiled header.

# tarn_link(TARGET PUBLIC|PRIVATE libs...)
# MLIR libraries become libMLIR.so; the exported MLIR target does not carry
# libLLVM.so along, so that is added too.
function(tarn_link target scope)
  set(libs)
  foreach(lib IN LISTS ARGN)
    if(lib MATCHES "^MLIR")
      list(APPEND libs MLIR)
    else()
      list(APPEND libs ${lib})
    endif()
  endforeach()
  list(APPEND libs MLIR LLVM)
  list(REMOVE_DUPLICATES libs)
  target_link_libraries(${target} ${scope} ${libs})
endfunction()

set(TARN_COMPILE_FLAGS -Wall -Wextra -Wno-unused-parameter -fno-exceptions
    -Xclang -fno-pch-timestamp)

# Warnings and the one precompiled header.
function(tarn_set_flags target)
  target_compile_options(${target} PRIVATE ${TARN_COMPILE_FLAGS})
  if(NOT TARGET tarn-pch)
    file(WRITE ${PROJECT_BINARY_DIR}/tarn-pch.cpp "")
    add_library(tarn-pch OBJECT ${PROJECT_BINARY_DIR}/tarn-pch.cpp)
    target_compile_options(tarn-pch PRIVATE ${TARN_COMPILE_FLAGS})
    target_precompile_headers(tarn-pch PRIVATE
      <mlir/Dialect/Arith/IR/Arith.h> <mlir/Dialect/Func/IR/FuncOps.h>
      <mlir/Dialect/Math/IR/Math.h> <mlir/Dialect/SCF/IR/SCF.h>
      <mlir/IR/Builders.h> <mlir/IR/BuiltinTypes.h> <mlir/IR/Dialect.h>
      <mlir/IR/OpDefinition.h> <mlir/IR/OpImplementation.h>
      <mlir/IR/PatternMatch.h> <mlir/Interfaces/InferTypeOpInterface.h>
      <mlir/Interfaces/SideEffectInterfaces.h> <mlir/Pass/Pass.h>
      <mlir/Transforms/GreedyPatternRewriteDriver.h>)
    # What stands in it, for ccache: its bytes name the build folder. (Flags are
    # part of what ccache compares anyway.)
    file(WRITE
      ${CMAKE_CURRENT_BINARY_DIR}/CMakeFiles/tarn-pch.dir/cmake_pch.hxx.pch.sum
      "MLIR ${LLVM_PACKAGE_VERSION}, headers of TarnMacros.cmake, 1")
  endif()
  target_precompile_headers(${target} REUSE_FROM tarn-pch)
endfunction()

# tarn_add_library(NAME sources... [DEPENDS tablegen-targets] [LINK_LIBS libs])
function(tarn_add_library name)
  cmake_parse_arguments(ARG "" "" "DEPENDS;LINK_LIBS" ${ARGN})
  add_library(${name} STATIC ${ARG_UNPARSED_ARGUMENTS})
  tarn_link(${name} PUBLIC ${ARG_LINK_LIBS})
  tarn_set_flags(${name})
  add_dependencies(${name} mlir-headers-of-tarn ${ARG_DEPENDS})
endfunction()

# tarn_add_executable(NAME sources... [LINK_LIBS libs])
function(tarn_add_executable name)
  cmake_parse_arguments(ARG "" "" "LINK_LIBS" ${ARGN})
  add_executable(${name} ${ARG_UNPARSED_ARGUMENTS})
  set_target_properties(${name} PROPERTIES
    RUNTIME_OUTPUT_DIRECTORY ${LLVM_RUNTIME_OUTPUT_INTDIR})
  tarn_link(${name} PRIVATE ${ARG_LINK_LIBS})
  tarn_set_flags(${name})
  add_dependencies(${name} mlir-headers-of-tarn)
endfunction()

# tarn_add_unit_test(NAME sources... [LABEL stage] [LINK_LIBS libs]): a
# GoogleTest binary that ctest runs. LABEL is the stage of tools/test.sh that
# counts its time: unit (default), ops, numerics, cuda or fuzz.
function(tarn_add_unit_test name)
  cmake_parse_arguments(ARG "" "LABEL" "LINK_LIBS" ${ARGN})
  if(NOT ARG_LABEL)
    set(ARG_LABEL unit)
  endif()
  tarn_add_executable(${name} ${ARG_UNPARSED_ARGUMENTS}
    LINK_LIBS ${ARG_LINK_LIBS} GTest::gtest_main)
  add_test(NAME ${name} COMMAND ${name})
  set_tests_properties(${name} PROPERTIES LABELS ${ARG_LABEL})
endfunction()

# tarn_add_dialect(DIALECT mnemonic OPS_TD): the usual TableGen outputs for the
# dialect defined in DIALECTDialect.td/OPS_TD of the current folder.
function(tarn_tablegen_dialect name mnemonic)
  set(LLVM_TARGET_DEFINITIONS ${name}Ops.td)
  mlir_tablegen(${name}Dialect.h.inc -gen-dialect-decls -dialect=${mnemonic})
  mlir_tablegen(${name}Dialect.cpp.inc -gen-dialect-defs -dialect=${mnemonic})
  mlir_tablegen(${name}Ops.h.inc -gen-op-decls -dialect=${mnemonic})
  mlir_tablegen(${name}Ops.cpp.inc -gen-op-defs -dialect=${mnemonic})
  mlir_tablegen(${name}Types.h.inc -gen-typedef-decls -typedefs-dialect=${mnemonic})
  mlir_tablegen(${name}Types.cpp.inc -gen-typedef-defs -typedefs-dialect=${mnemonic})
  mlir_tablegen(${name}Attributes.h.inc -gen-attrdef-decls -attrdefs-dialect=${mnemonic})
  mlir_tablegen(${name}Attributes.cpp.inc -gen-attrdef-defs -attrdefs-dialect=${mnemonic})
  mlir_tablegen(${name}Enums.h.inc -gen-enum-decls)
  mlir_tablegen(${name}Enums.cpp.inc -gen-enum-defs)
  add_public_tablegen_target(Tarn${name}IncGen)
  add_dependencies(mlir-headers-of-tarn Tarn${name}IncGen)
endfunction()

# Everything that any source may include from TableGen: one target, so that a
# new library need not list the dialects it includes.
add_custom_target(mlir-headers-of-tarn)
