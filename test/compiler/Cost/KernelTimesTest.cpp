//===- KernelTimesTest.cpp - files of measured times ----------------------===//

#include "compiler/Cost/KernelTimes.h"

#include <gtest/gtest.h>

using namespace tarn;

static KernelTimes sample() {
  KernelTimes times;
  times.model = "gpt2";
  times.device = "cpu";
  times.target = "cpu:x86-64-v4";
  times.threads = 2;
  times.kernels["0123456789abcdef"] = {"dot", 0.00123, 10};
  times.kernels["00000000000000aa"] = {"add \"x\"", 1e-6, 3};
  return times;
}

TEST(KernelTimes, WhatIsWrittenIsRead) {
  rt::Result<KernelTimes> back =
      parseKernelTimes(writeKernelTimes(sample()), "t.json");
  ASSERT_TRUE(back.ok()) << back.status().message();
  EXPECT_EQ(back->model, "gpt2");
  EXPECT_EQ(back->device, "cpu");
  EXPECT_EQ(back->target, "cpu:x86-64-v4");
  EXPECT_EQ(back->threads, 2);
  ASSERT_EQ(back->kernels.size(), 2u);
  EXPECT_EQ(back->kernels["0123456789abcdef"].seconds, 0.00123);
  EXPECT_EQ(back->kernels["0123456789abcdef"].launches, 10u);
  EXPECT_EQ(back->kernels["00000000000000aa"].name, "add \"x\"");
}

TEST(KernelTimes, WrongFilesAreErrors) {
  struct Case {
    const char *from, *to, *message;
  };
  for (const Case &wrong : {
           Case{"\"tarn_kernel_times\":1,", "",
                "this is no file of kernel times (`tarn bench --times` writes "
                "one)"},
           Case{"\"tarn_kernel_times\":1", "\"tarn_kernel_times\":9",
                "kernel times of a format that this version does not know"},
           Case{"\"threads\":2", "\"threads\":0",
                "`threads` must be a positive number"},
           Case{"\"device\":\"cpu\"", "\"device\":7",
                "`device` must be a string"},
           Case{"0.00123", "-1",
                "kernel 1 (dot): `seconds` must be a positive number"},
           Case{"0.00123", "\"fast\"",
                "kernel 1 (dot): `seconds` must be a positive number"},
           Case{"\"launches\":10", "\"launches\":0",
                "kernel 1 (dot): `launches` must be a positive number"},
           Case{"0123456789abcdef", "0123456789ABCDEF",
                "kernel 1: `program` must be 16 hexadecimal digits"},
           Case{"0123456789abcdef", "00000000000000aa",
                "kernel 1 (dot): its program is in the file twice"},
       }) {
    std::string text = writeKernelTimes(sample());
    size_t at = text.find(wrong.from);
    ASSERT_NE(at, std::string::npos) << wrong.from;
    text.replace(at, std::string(wrong.from).size(), wrong.to);
    rt::Result<KernelTimes> times = parseKernelTimes(text, "t.json");
    ASSERT_FALSE(times.ok()) << wrong.message;
    EXPECT_EQ(times.status().message(),
              std::string("t.json: ") + wrong.message);
  }
  KernelTimes empty = sample();
  empty.kernels.clear();
  EXPECT_EQ(
      parseKernelTimes(writeKernelTimes(empty), "t.json").status().message(),
      "t.json: there are no kernels in it");
  EXPECT_FALSE(readKernelTimes("no/such/file").ok());
  EXPECT_FALSE(readKernelTimes("/").ok());
}

TEST(KernelTimes, DamagedFiles) {
  std::string whole = writeKernelTimes(sample());
  for (size_t length = 0; length + 2 < whole.size(); ++length)
    EXPECT_FALSE(parseKernelTimes(whole.substr(0, length), "x").ok());
  for (size_t at = 0; at < whole.size(); ++at)
    for (char other : {'\0', '"', '{', ']', '9', '-'}) {
      std::string damaged = whole;
      damaged[at] = other;
      rt::Result<KernelTimes> times = parseKernelTimes(damaged, "x");
      if (times.ok())
        for (const auto &[hash, time] : times->kernels)
          EXPECT_GT(time.seconds, 0);
    }
}
