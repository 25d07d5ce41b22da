//===- DeviceTest.cpp - data files of devices -----------------------------===//

#include "compiler/Cost/Device.h"

#include <cmath>
#include <gtest/gtest.h>

using namespace tarn;

static void expectWhole(const Figure &figure, const std::string &what) {
  EXPECT_TRUE(std::isfinite(figure.value)) << what;
  EXPECT_GT(figure.source.size(), 10u) << what << " says no source";
}
static void expectWhole(const Rate &rate, const std::string &what) {
  expectWhole(rate.peak, what + " peak");
  expectWhole(rate.efficiency, what + " efficiency");
  EXPECT_GT(rate.efficiency.error, 0) << what << " has no error bar";
}

TEST(Device, EveryFigureHasASource) {
  ASSERT_EQ(knownDevices().size(), 7u) << deviceNames();
  for (const Device &device : knownDevices()) {
    const std::string &name = device.name;
    for (const DeviceTarget &target : device.targets) {
      EXPECT_TRUE(target.dots.count("f32")) << name;
      for (const auto &[type, rate] : target.dots)
        expectWhole(rate, name + " " + type);
      expectWhole(target.vector, name + " vector");
      expectWhole(target.special, name + " special");
    }
    expectWhole(device.units, name + " units");
    expectWhole(device.memoryBytes, name + " memory_bytes");
    expectWhole(device.contextBytes, name + " context_bytes");
    EXPECT_GT(device.contextBytes.error, 0) << name;
    expectWhole(device.memory, name + " memory");
    expectWhole(device.cacheBytes, name + " cache_bytes");
    expectWhole(device.cache, name + " cache");
    expectWhole(device.hostToDevice, name + " host_to_device");
    expectWhole(device.deviceToHost, name + " device_to_host");
    expectWhole(device.launch, name + " launch");
    EXPECT_GT(device.launch.error, 0) << name;
  }
}

TEST(Device, IsReadAsItWasWritten) {
  for (const Device &device : knownDevices()) {
    std::string text = writeDevice(device);
    rt::Result<Device> again = parseDevice(text, device.name);
    ASSERT_TRUE(again.ok()) << again.status().message();
    EXPECT_EQ(writeDevice(*again), text);
    EXPECT_EQ(again->aliases, device.aliases);
    EXPECT_EQ(again->memory.reached(), device.memory.reached());
    EXPECT_EQ(again->block.value, device.block.value);
    for (const DeviceTarget &target : device.targets)
      EXPECT_EQ(again->findTarget(target.target)->dot(DotType::f32).reached(),
                target.dot(DotType::f32).reached());
  }
}

// What data sheets print in bold, dense.
TEST(Device, PeaksAreThePublishedOnes) {
  struct Row {
    const char *name;
    double bf16, fp8, bandwidth, gib;
  };
  for (const Row &row : {Row{"h100", 989e12, 1979e12, 3.35e12, 80},
                         Row{"h200", 989e12, 1979e12, 4.8e12, 141e9 / 0x1p30},
                         Row{"a100", 312e12, 0, 2.039e12, 80},
                         Row{"b200", 2250e12, 4500e12, 7.7e12, 179},
                         Row{"rtx4090", 165e12, 330e12, 1.008e12, 24},
                         Row{"mi300x", 1307e12, 2615e12, 5.3e12, 192}}) {
    rt::Result<Device> device = findDevice(row.name);
    ASSERT_TRUE(device.ok()) << row.name;
    const DeviceTarget &target = device->targets.back();
    EXPECT_NEAR(target.dot(DotType::bf16).peak.value, row.bf16,
                0.005 * row.bf16)
        << row.name;
    if (row.fp8 > 0)
      EXPECT_NEAR(target.dot(DotType::fp8).peak.value, row.fp8, 0.005 * row.fp8)
          << row.name;
    EXPECT_NEAR(device->memory.peak.value, row.bandwidth, 0.01 * row.bandwidth);
    EXPECT_NEAR(device->memoryBytes.value / 0x1p30, row.gib, 0.08 * row.gib);
  }
}

TEST(Device, NamesAliasesAndTargets) {
  EXPECT_EQ(findDevice("H100")->name, "h100");
  EXPECT_EQ(findDevice("RTX-4090")->name, "rtx4090");
  EXPECT_EQ(findDevice("cuda:sm_80")->name, "a100");
  EXPECT_EQ(findDevice("cpu:x86-64-v3")->name, "cpu");
  rt::Result<Device> two = findDevice("cuda:sm_90a");
  ASSERT_FALSE(two.ok());
  EXPECT_EQ(two.status().message(),
            "`cuda:sm_90a` is the target of several devices: h100 and h200");
  rt::Result<Device> none = findDevice("h1000");
  ASSERT_FALSE(none.ok());
  EXPECT_NE(none.status().message().find("unknown device `h1000`; known are "
                                         "a100, b200, cpu, h100, h200"),
            std::string::npos);
  EXPECT_FALSE(findDevice("").ok());
  EXPECT_FALSE(findDevice("no/such/file.json").ok());
}

TEST(Device, NarrowTypesAreComputedInWiderOnes) {
  const Device device = *findDevice("a100");
  const DeviceTarget &target = device.targets.back();
  EXPECT_EQ(&target.dot(DotType::fp8), &target.dot(DotType::f16));
  EXPECT_EQ(target.dot(DotType::tf32).peak.value, 156e12);
  const Device cpu = *findDevice("cpu");
  EXPECT_EQ(&cpu.targets.back().dot(DotType::tf32),
            &cpu.targets.back().dot(DotType::f32));
}

/// A file that is right, with one part replaced.
static std::string deviceText(const std::string &from = "",
                              const std::string &to = "") {
  std::string rate = R"({"peak": {"value": 2e12, "source": "a source"},
    "efficiency": {"value": 0.5, "error": 0.1, "source": "a source"}})";
  std::string text =
      R"({"tarn_device": 1, "name": "mine", "targets": [{"target": "cuda:sm_70",
  "dots": {"f32": RATE}, "vector": RATE, "special": RATE}],
  "units": {"value": 80, "source": "a source"},
  "memory_bytes": {"value": 16e9, "source": "a source"},
  "context_bytes": {"value": 3e8, "error": 0.3, "source": "a source"},
  "memory": RATE, "host_to_device": RATE, "device_to_host": RATE,
  "launch_seconds": {"value": 5e-6, "error": 0.5, "source": "a source"}})";
  for (size_t at; (at = text.find("RATE")) != std::string::npos;)
    text.replace(at, 4, rate);
  if (!from.empty()) {
    size_t at = text.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    text.replace(at, from.size(), to);
  }
  return text;
}

TEST(Device, AFileOfOnesOwn) {
  rt::Result<Device> device = parseDevice(deviceText(), "mine.json");
  ASSERT_TRUE(device.ok()) << device.status().message();
  EXPECT_EQ(device->name, "mine");
  EXPECT_DOUBLE_EQ(device->memory.reached(), 1e12);
}

TEST(Device, WrongFilesAreErrors) {
  struct Case {
    const char *from, *to, *message;
  };
  for (const Case &wrong : {
           Case{"\"tarn_device\": 1, ", "",
                "this is no device file (`tarn_device` is missing)"},
           Case{"\"tarn_device\": 1", "\"tarn_device\": 2",
                "`tarn_device` must be a number from 1 to 1"},
           Case{"\"name\": \"mine\"", "\"name\": 3",
                "`name` must be a string that is not empty"},
           Case{"cuda:sm_70", "sm_70",
                "`targets[0].target` must begin with `cpu:`, `cuda:` or "
                "`hip:`"},
           Case{"\"value\": 80", "\"value\": 0",
                "`units.value` must be a number from 1 to 1e+06"},
           Case{"\"value\": 80", "\"value\": \"80\"",
                "`units.value` must be a number from 1 to 1e+06"},
           Case{"\"value\": 80, \"source\": \"a source\"", "\"value\": 80",
                "`units.source` is missing"},
           Case{"\"value\": 0.5", "\"value\": 1.5",
                "`targets[0].dots.f32.efficiency.value` must be a number from "
                "0.001 to 1"},
           Case{"2e12", "-2e12",
                "`targets[0].dots.f32.peak.value` must be a number from 1 to "
                "1e+21"},
           Case{"\"f32\"", "\"f31\"",
                "`targets[0].dots` has an unknown member `f31`"},
           Case{"\"launch_seconds\"", "\"lunch_seconds\"",
                "`device` has an unknown member `lunch_seconds`"},
       }) {
    rt::Result<Device> device =
        parseDevice(deviceText(wrong.from, wrong.to), "mine.json");
    ASSERT_FALSE(device.ok()) << wrong.message;
    EXPECT_EQ(device.status().message(),
              std::string("mine.json: ") + wrong.message);
  }
  EXPECT_FALSE(parseDevice("", "x").ok());
  EXPECT_FALSE(parseDevice("[1]", "x").ok());
  EXPECT_FALSE(parseDevice("{", "x").ok());
}

// Whatever is cut off or overwritten: an error or a device, never a crash.
TEST(Device, DamagedFiles) {
  std::string whole = deviceText();
  for (size_t length = 0; length < whole.size(); length += 7)
    EXPECT_FALSE(parseDevice(whole.substr(0, length), "x").ok());
  for (size_t at = 0; at < whole.size(); ++at)
    for (char other : {'\0', '"', '{', ']', '9', '-'}) {
      std::string damaged = whole;
      damaged[at] = other;
      rt::Result<Device> device = parseDevice(damaged, "x");
      if (device.ok())
        EXPECT_GT(device->targets.back().dot(DotType::f32).reached(), 0);
    }
}
