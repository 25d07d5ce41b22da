// RUN: tarn-opt %s | FileCheck %s
// The tool reads and prints a module.
// CHECK: module
module {}
