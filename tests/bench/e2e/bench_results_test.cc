// Medians, CPU shares, and the three formats of the report.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <sstream>

#include "bench/e2e/report.h"
#include "bench/e2e/soak.h"
#include "bench/e2e/text.h"

namespace culvert::bench {
namespace {

using nlohmann::json;
using testing::HasSubstr;
using testing::Not;

Turn tcp_turn(const std::string& tunnel, unsigned turn, double mbit, double cost) {
  Turn result{.tunnel = tunnel,
              .work = "tcp1",
              .round = 1,
              .turn = turn,
              .figures = {{"mbit_per_second", mbit}, {"retransmissions", 3}},
              .cpu = {},
              .samples_us = {}};
  if (cost > 0) result.figures.push_back({"cpu_ns_per_packet", cost});
  result.cpu.cpus = {0.5, 0.9, 0.1, 0.3, 0.1, 0, 0.1};
  result.cpu.busiest = Part::out;
  result.cpu.busiest_cpu = 0.9;
  return result;
}

Turn latency_turn(const std::string& tunnel, std::vector<double> samples) {
  const double p50 = median(samples);
  return {.tunnel = tunnel,
          .work = "latency",
          .round = 1,
          .turn = 1,
          .figures = {{"p50_us", p50}, {"p99_us", percentile(samples, 0.99)}, {"lost", 0}},
          .cpu = {},
          .samples_us = std::move(samples)};
}

Report example() {
  Report report;
  report.plan = *make_plan(
      {.tunnels = {"culvert-sit", "single", "socat"}, .works = {"tcp1", "latency"}, .options = {}});
  report.machine.kernel = "Linux 6.18";
  report.machine.cpus = 2;
  report.turns = {tcp_turn("culvert-sit", 1, 4000, 500), tcp_turn("single", 1, 700, 2000),
                  tcp_turn("socat", 1, 500, 4000), tcp_turn("culvert-sit", 2, 9000, 700),
                  tcp_turn("culvert-sit", 3, 5000, 600)};
  report.left_out = {{"kernel-sit", {}, "not in this kernel"}};
  return report;
}

TEST(BenchMedian, IsTheMiddleOrTheMeanOfTwo) {
  EXPECT_EQ(median({3, 1, 2}), 2);
  EXPECT_EQ(median({4, 1, 2, 3}), 2.5);
  EXPECT_EQ(median({}), 0);
}

TEST(BenchPercentile, IsTheValueBelowWhichTheShareLies) {
  std::vector<double> values(100);
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<double>(100 - i);
  EXPECT_EQ(percentile(values, 0.99), 100);
  EXPECT_EQ(percentile(values, 0.5), 51);
  EXPECT_EQ(percentile({7}, 0.99), 7);
  EXPECT_EQ(percentile({}, 0.99), 0);
}

TEST(BenchSummary, HasMediansOfTheTurns) {
  const Report report = example();
  const auto all = summarize(report);
  ASSERT_EQ(all.size(), 3U);
  EXPECT_EQ(all[0].tunnel, "culvert-sit");
  EXPECT_EQ(all[0].turns, 3U);
  EXPECT_EQ(*find_figure(all[0].figures, kMbit), 5000);
  EXPECT_EQ(*find_figure(all[0].figures, kCpuPerPacket), 600);
  EXPECT_DOUBLE_EQ(ratio_to(report, all[0], "socat", kMbit), 8);  // of the only pair
  EXPECT_DOUBLE_EQ(ratio_to(report, all[0], "single", kCpuPerPacket), 0.25);
  EXPECT_EQ(ratio_to(report, all[0], "vxlan", kMbit), 0);
}

// The machine is twice as fast in the second turn, for all tunnels.
TEST(BenchSummary, ComparesTurnsThatFollowedEachOther) {
  Report report = example();
  report.turns = {tcp_turn("culvert-sit", 1, 300, 0), tcp_turn("socat", 1, 100, 0),
                  tcp_turn("culvert-sit", 2, 600, 0), tcp_turn("socat", 2, 200, 0),
                  tcp_turn("culvert-sit", 3, 600, 0), tcp_turn("socat", 3, 100, 0)};
  EXPECT_DOUBLE_EQ(ratio_to(report, summarize(report)[0], "socat", kMbit), 3);
}

// A turn has too few samples for its own p99: one slow reply would be the p99 of every turn.
TEST(BenchSummary, TakesP99OfAllSamplesTogether) {
  Report report = example();
  report.turns.clear();
  std::vector<double> calm(150, 10), stalled(150, 20);
  stalled.back() = 900;
  report.turns = {latency_turn("socat", calm), latency_turn("socat", stalled),
                  latency_turn("socat", calm)};
  const auto all = summarize(report);
  ASSERT_EQ(all.size(), 1U);
  EXPECT_EQ(*find_figure(all[0].figures, kP50), 10);
  EXPECT_EQ(*find_figure(all[0].figures, kP99), 20);
}

TEST(BenchSummary, NamesThePartThatWasBusiestMostOften) {
  Report report = example();
  report.turns[3].cpu.busiest = Part::in;
  report.turns[3].cpu.busiest_cpu = 1;
  const auto all = summarize(report);
  EXPECT_EQ(all[0].cpu.busiest, Part::out);
  EXPECT_DOUBLE_EQ(all[0].cpu.busiest_cpu, 0.9);
}

TEST(BenchTable, HasRatiosAndWhatBoundedAFigure) {
  const std::string text = to_table(example());
  std::istringstream lines{text};
  std::string head, culvert;
  std::getline(lines, head);
  std::getline(lines, culvert);
  EXPECT_EQ(head,
            "TCP, 1 flow  Mbit/s  : socat  retransmissions  CPU ns/packet  : single  "
            "busiest thread  CPUs idle");
  EXPECT_EQ(culvert,
            "culvert-sit   5,000     8.00                3            600      0.25  "
            "       out 90%         5%");
  EXPECT_THAT(text, HasSubstr("kernel-sit: not in this kernel"));
  EXPECT_THAT(text, Not(HasSubstr("Latency, idle")));  // no turn of this work
}

TEST(BenchTable, SaysWhatFailedAndThatTheMachineWasBusy) {
  Report report = example();
  EXPECT_THAT(to_table(report), Not(HasSubstr("busy")));
  report.machine.load_average = 1.5;
  report.failed = {{"socat", "udp64", "does not end"}};
  EXPECT_THAT(to_table(report), HasSubstr("load average 1.5"));
  EXPECT_THAT(to_table(report), HasSubstr("failed: socat udp64: does not end"));
}

TEST(BenchTable, SetsCommasInNumbers) {
  EXPECT_EQ(with_commas(0), "0");
  EXPECT_EQ(with_commas(999), "999");
  EXPECT_EQ(with_commas(1'234'567.4), "1,234,567");
  EXPECT_EQ(with_commas(-1234.56, 1), "-1,234.6");
  EXPECT_EQ(with_commas(-123), "-123");
}

TEST(BenchJson, HasEveryTurnAndTheMedians) {
  const json report = json::parse(to_json(example()));
  ASSERT_EQ(report["turns"].size(), 5U);
  EXPECT_EQ(report["turns"][3]["mbit_per_second"], 9000);
  EXPECT_EQ(report["turns"][3]["turn"], 2);
  EXPECT_EQ(report["turns"][3]["cpus"]["out"], 0.9);
  ASSERT_EQ(report["medians"].size(), 3U);
  const json& culvert = report["medians"][0];
  EXPECT_EQ(culvert["tunnel"], "culvert-sit");
  EXPECT_EQ(culvert["mbit_per_second"], 5000);
  EXPECT_EQ(culvert["ratio_to"]["socat"], 8);
  EXPECT_EQ(culvert["cpu_ratio_to_single"], 0.25);
  EXPECT_EQ(culvert["busiest_thread"]["part"], "out");
  EXPECT_EQ(report["left_out"][0]["reason"], "not in this kernel");
  EXPECT_EQ(report["settings"]["tunnels"][1]["name"], "single");
}

TEST(BenchCsv, HasALineForEachFigure) {
  const std::string text = to_csv(example());
  EXPECT_THAT(text, testing::StartsWith("round,turn,tunnel,work,figure,value\n"));
  EXPECT_THAT(text, HasSubstr("\n1,2,culvert-sit,tcp1,mbit_per_second,9000.000\n"));
  EXPECT_THAT(text, HasSubstr("\nmedian,,culvert-sit,tcp1,mbit_per_second,5000.000\n"));
  EXPECT_THAT(text, HasSubstr("\nmedian,,culvert-sit,tcp1,cpus_idle,0.100\n"));
}

// ---- soak ---------------------------------------------------------------------------------------

constexpr char kShown[] = R"({"devices":[{"name":"tunnel","in_received":3,"receive_queue_full":9,
  "drops":{"tunnel_unknown":3},"tunnels":[
    {"in_received":107,"in_packets":100,"out_received":205,"out_packets":200,"errors_received":4,
     "errors_relayed":2,"drops":{"inner_source_forbidden":7,"packet_too_big":5,"error_useless":2}}
  ]}]})";

Soak example_soak() {
  Soak soak{.tunnel = "culvert-sit", .duration = std::chrono::seconds{9}, .ends = {}};
  soak.is_equal = true;
  for (SoakEnd& end : soak.ends) {
    end.resident_at_start_kib = 10'000;
    end.resident_kib = {10'100, 10'104};
    count_packets(kShown, end);
  }
  return soak;
}

TEST(BenchSoak, AddsUpTheCountersOfDeviceAndTunnels) {
  const SoakEnd end = example_soak().ends[0];
  EXPECT_EQ(end.taken, 319U);
  EXPECT_EQ(end.forwarded, 302U);
  EXPECT_EQ(end.dropped, 17U);
  EXPECT_EQ(end.receive_queue_full, 9U);
  EXPECT_THAT(end.reasons, HasSubstr("\"packet_too_big\":5"));
}

TEST(BenchSoak, PassesOnlyIfEverythingIsAsItShouldBe) {
  EXPECT_TRUE(example_soak().has_passed());
  EXPECT_THAT(to_text(example_soak()),
              HasSubstr("319 taken = 302 forwarded + 17 dropped + 0 held"));
  const auto fails_with = [](auto change) {
    Soak soak = example_soak();
    change(soak);
    return !soak.has_passed();
  };
  EXPECT_TRUE(fails_with([](Soak& soak) { ++soak.ends[1].taken; }));
  EXPECT_TRUE(fails_with([](Soak& soak) { soak.ends[0] = {}; }));
  EXPECT_TRUE(fails_with([](Soak& soak) { soak.is_equal = false; }));
  EXPECT_TRUE(fails_with([](Soak& soak) { soak.ends[0].resident_kib.push_back(12'000); }));
  EXPECT_TRUE(fails_with([](Soak& soak) { soak.ends[0].resident_at_start_kib = 40'000; }));
  EXPECT_FALSE(fails_with([](Soak& soak) {
    soak.workers = 2;  // each worker has its own buffers
    soak.ends[0].resident_at_start_kib = 40'000;
  }));
}

// ---- CPU shares ---------------------------------------------------------------------------------

constexpr std::uint64_t kMillisecond = 1'000'000;

CpuSnapshot snapshot_at(std::chrono::milliseconds time) {
  CpuSnapshot snapshot;
  snapshot.time = std::chrono::steady_clock::time_point{time};
  return snapshot;
}

TEST(BenchCpu, AddsUpToTheCpus) {
  CpuSnapshot before = snapshot_at(std::chrono::milliseconds{0});
  CpuSnapshot after = snapshot_at(std::chrono::milliseconds{1000});
  before.threads = {{Part::out, 7, 500 * kMillisecond}};
  after.threads = {{Part::out, 7, 1400 * kMillisecond},
                   {Part::in, 8, 300 * kMillisecond},  // began in between
                   {Part::wire, 9, 100 * kMillisecond}};
  after.idle_nanoseconds = 400 * kMillisecond;
  after.softirq_nanoseconds = 250 * kMillisecond;
  const CpuUse use = cpu_use(before, after, 2);
  EXPECT_DOUBLE_EQ(use.of(Part::out), 0.9);
  EXPECT_DOUBLE_EQ(use.of(Part::in), 0.3);
  EXPECT_DOUBLE_EQ(use.of(Part::wire), 0.25);  // ksoftirqd is part of the softirqs
  EXPECT_DOUBLE_EQ(use.of(Part::idle), 0.4);
  EXPECT_NEAR(use.of(Part::other), 0.15, 1e-9);
  EXPECT_EQ(use.busiest, Part::out);
  EXPECT_DOUBLE_EQ(use.busiest_cpu, 0.9);
}

// If a softirq that interrupts a thread counts as the thread's time, the machine's softirq time is
// larger than the time that remains for it.
TEST(BenchCpu, TakesNoMoreSoftirqsThanNobodyHas) {
  CpuSnapshot after = snapshot_at(std::chrono::milliseconds{1000});
  after.threads = {{Part::out, 7, 950 * kMillisecond}, {Part::sender, 8, 900 * kMillisecond}};
  after.idle_nanoseconds = 100 * kMillisecond;
  after.softirq_nanoseconds = 800 * kMillisecond;
  const CpuUse use = cpu_use(snapshot_at(std::chrono::milliseconds{0}), after, 2);
  EXPECT_NEAR(use.of(Part::wire), 0.05, 1e-9);
  EXPECT_NEAR(use.of(Part::other), 0, 1e-9);
}

}  // namespace
}  // namespace culvert::bench
