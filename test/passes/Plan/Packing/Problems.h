//===- Problems.h - packing problems for tests and benchmarks ---*- C++ -*-===//

#ifndef TEST_PASSES_PLAN_PACKING_PROBLEMS_H
#define TEST_PASSES_PLAN_PACKING_PROBLEMS_H

#include "passes/Plan/Packing/Problem.h"

#include <cstdint>
#include <random>
#include <string>
#include <vector>

namespace tarn::packing::test {

/// A number below `limit`, the same with every standard library.
uint64_t below(std::mt19937_64 &random, uint64_t limit);

/// Buffers cut from a full rectangle of `capacity` bytes and `steps` steps:
/// they fit into `capacity` without a free byte. Cuts go through the whole
/// piece
/// (`pinwheels` false) or also around a middle piece, which no cut through the
/// whole separates.
std::vector<Buffer> cutRectangle(std::mt19937_64 &random, int64_t capacity,
                                 int64_t steps, unsigned pieces,
                                 bool pinwheels);

/// Small buffers with times, sizes, alignments and some fixed offsets.
std::vector<Buffer> tinyProblem(std::mt19937_64 &random, unsigned count);

/// The folder of the instances in minimalloc's format; empty where there is
/// none: $TARN_MINIMALLOC, else ../shared/data/minimalloc beside the sources.
std::string minimallocFolder();

/// Reads id,lower,upper,size lines; empty if the file can't be read.
std::vector<Buffer> readInstance(const std::string &path);

/// What is wrong with `offsets` as a packing into `capacity`, by comparing all
/// pairs of bytes' owners; empty if nothing. Shares no code with the solver.
std::string faultOf(const std::vector<Buffer> &buffers,
                    const std::vector<int64_t> &offsets, int64_t capacity);

} // namespace tarn::packing::test

#endif // TEST_PASSES_PLAN_PACKING_PROBLEMS_H
