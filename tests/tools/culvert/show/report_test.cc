// The report of `show`: the JSON for scripts, and the table for people.
#include "tools/culvert/show/report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace culvert::program {
namespace {

using nlohmann::json;
using testing::HasSubstr;
using testing::Not;

std::uint64_t& drops(Totals& totals, DropReason reason) {
  return totals.drops[static_cast<std::size_t>(reason)];
}

DeviceReport example() {
  DeviceReport status;
  status.device = "he-ipv6";
  status.mtu_bytes = 1480;
  status.io = "epoll";
  status.io_reason = "io_uring_setup: EPERM";
  status.receive = "packet";
  status.workers = 2;
  status.receive_queue_full = 9;
  status.totals.in_received = 3;
  drops(status.totals, DropReason::tunnel_unknown) = 3;
  TunnelStatus tunnel;
  tunnel.config.name = "broker";
  tunnel.config.mode = proto::SixInFour::Parameters{};
  tunnel.config.remote = *proto::Ipv4Address::from_text("216.218.221.42");
  tunnel.local = *proto::Ipv4Address::from_text("192.168.12.2");
  tunnel.mtu_bytes = 1472;
  tunnel.send = "packet";
  tunnel.send_reason = "next hop 192.168.12.1 on eth0";
  Totals& totals = tunnel.totals;
  totals.in_received = 107, totals.in_packets = 100, totals.in_bytes = 11'000;
  totals.out_received = 205, totals.out_packets = 200, totals.out_bytes = 22'000;
  drops(totals, DropReason::inner_source_forbidden) = 6;
  drops(totals, DropReason::packet_too_big) = 5;
  totals.errors_received = 4, totals.errors_relayed = 2, totals.too_big_sent = 5;
  totals.too_big_suppressed = 1, totals.ecn_anomalies = 8;
  totals.unreachable_sent = 10, totals.unreachable_suppressed = 11;
  status.totals.unreachable_sent = 12;
  status.tunnels.push_back(tunnel);
  return status;
}

TEST(ReportJson, HasTheFieldsThatScriptsReadInOrder) {
  const DeviceReport status = example();
  const std::string text = report_json({&status, 1});
  EXPECT_EQ(text.find('\n'), std::string::npos);
  EXPECT_THAT(text, HasSubstr(R"({"devices":[{"name":"he-ipv6","mtu":1480,"io":"epoll",)"));
  EXPECT_THAT(text, HasSubstr(R"("tunnels":[{"name":"broker","mode":"sit","local":"192.168.12.2",)"
                              R"("remote":"216.218.221.42","mtu":1472,"in_packets":100,)"
                              R"("in_bytes":11000,"out_packets":200,"out_bytes":22000,"drops":{)"));
}

TEST(ReportJson, HasEveryCounter) {
  const DeviceReport status = example();
  const json device = json::parse(report_json({&status, 1}))["devices"][0];
  EXPECT_EQ(device["io_reason"], "io_uring_setup: EPERM");
  EXPECT_EQ(device["receive"], "packet");
  EXPECT_EQ(device["receive_reason"], "");
  EXPECT_EQ(device["workers"], 2);
  EXPECT_EQ(device["receive_queue_full"], 9);
  EXPECT_EQ(device["in_received"], 3);
  EXPECT_EQ(device["drops"], json({{"tunnel_unknown", 3}}));
  const json tunnel = device["tunnels"][0];
  EXPECT_EQ(tunnel["drops"], json({{"inner_source_forbidden", 6}, {"packet_too_big", 5}}));
  EXPECT_EQ(tunnel["in_received"], 107);
  EXPECT_EQ(tunnel["out_received"], 205);
  EXPECT_EQ(tunnel["in_held"], 1);   // 107 = 100 + 6 + 1
  EXPECT_EQ(tunnel["out_held"], 0);  // 205 = 200 + 5
  EXPECT_EQ(tunnel["errors_received"], 4);
  EXPECT_EQ(tunnel["errors_relayed"], 2);
  EXPECT_EQ(tunnel["too_big_sent"], 5);
  EXPECT_EQ(tunnel["too_big_suppressed"], 1);
  EXPECT_EQ(tunnel["ecn_anomalies"], 8);
  EXPECT_EQ(tunnel["unreachable_sent"], 10);
  EXPECT_EQ(tunnel["unreachable_suppressed"], 11);
  EXPECT_EQ(device["unreachable_sent"], 12);
  for (const RareCounterFacts& each : kRareCounters) {
    EXPECT_TRUE(device.contains(each.name)) << each.name;
    EXPECT_TRUE(tunnel.contains(each.name)) << each.name;
  }
}

TEST(ReportJson, SaysAnyForALocalAddressThatIsNotKnown) {
  DeviceReport status = example();
  status.tunnels[0].local = {};
  EXPECT_EQ(json::parse(report_json({&status, 1}))["devices"][0]["tunnels"][0]["local"], "any");
}

TEST(Report, SaysThatFullPacketsLeaveAsFragments) {
  DeviceReport status = example();
  EXPECT_THAT(*report_table(report_json({&status, 1})), Not(HasSubstr("fragments")));
  status.tunnels[0].mtu_bytes = 1280;
  status.tunnels[0].fragments = 2;
  const std::string text = report_json({&status, 1});
  EXPECT_EQ(json::parse(text)["devices"][0]["tunnels"][0]["fragments"], 2);
  EXPECT_THAT(*report_table(text),
              HasSubstr("mtu 1280 (packets of that size leave as 2 fragments)"));
}

TEST(Report, SaysWhyThereAreNoSuperPackets) {
  DeviceReport status = example();
  status.offload = "on";
  EXPECT_THAT(*report_table(report_json({&status, 1})), Not(HasSubstr("offload")));
  status.offload = "off";
  status.offload_reason = "asked for";
  const std::string text = report_json({&status, 1});
  EXPECT_EQ(json::parse(text)["devices"][0]["offload"], "off");
  EXPECT_THAT(*report_table(text), HasSubstr("\n  offload off (asked for)\n"));
}

TEST(Report, HasTheWarningsOfADevice) {
  DeviceReport status = example();
  EXPECT_THAT(*report_table(report_json({&status, 1})), Not(HasSubstr("warning")));
  status.warnings = {"the first", "the second"};
  const std::string text = report_json({&status, 1});
  EXPECT_EQ(json::parse(text)["devices"][0]["warnings"], (json{"the first", "the second"}));
  EXPECT_THAT(*report_table(text), HasSubstr("\n  warning: the first\n  warning: the second\n"));
}

TEST(ReportJson, StaysJsonWithANameThatIsNoText) {
  DeviceReport status = example();
  status.tunnels[0].config.name = "a\"\n\xff";
  const std::string text = report_json({&status, 1});
  EXPECT_TRUE(json::accept(text));
  EXPECT_THAT(*report_table(text), HasSubstr("tunnel a\"?"));  // and nothing for the terminal
}

TEST(ReportJson, HasNoDevicesAsAnEmptyList) {
  EXPECT_EQ(report_json({}), R"({"devices":[]})");
  EXPECT_EQ(*report_table(report_json({})), "");
}

TEST(MergeReports, PutsTheDevicesOfAllProcessesTogether) {
  DeviceReport b = example(), a = example();
  b.device = "b";
  a.device = "a";
  const std::vector<std::string> answers{report_json({&b, 1}), report_json({&a, 1})};
  const json merged = json::parse(*merge_reports(answers, ""));
  ASSERT_EQ(merged["devices"].size(), 2u);
  EXPECT_EQ(merged["devices"][0]["name"], "a");
  EXPECT_EQ(merged["devices"][1]["name"], "b");
  const json one = json::parse(*merge_reports(answers, "b"));
  ASSERT_EQ(one["devices"].size(), 1u);
  EXPECT_EQ(one["devices"][0]["name"], "b");
  EXPECT_EQ(*merge_reports(answers, "c"), R"({"devices":[]})");
  EXPECT_EQ(*merge_reports({}, ""), R"({"devices":[]})");
}

TEST(MergeReports, RefusesWhatIsNoReport) {
  for (const char* answer :
       {"", "[]", "{}", R"({"devices":3})", R"({"devices":[3]})", R"({"devices":[{"name":3}]})",
        "{\"devices\":[", R"({"error":"no"})"}) {
    EXPECT_FALSE(merge_reports(std::vector<std::string>{answer}, "")) << answer;
    EXPECT_FALSE(report_table(answer)) << answer;
  }
  EXPECT_THAT(report_table(R"({"error":"not today"})").error().message(), HasSubstr("not today"));
  EXPECT_FALSE(report_table(R"({"devices":[{"name":"a"}]})"));
}

TEST(ReportTable, SaysWhatAPersonWantsToKnow) {
  const DeviceReport status = example();
  const auto table = report_table(report_json({&status, 1}));
  ASSERT_TRUE(table);
  EXPECT_EQ(
      *table,
      "device he-ipv6: mtu 1480, 2 workers\n"
      "  io epoll (io_uring_setup: EPERM)\n"
      "  receive packet\n"
      "  tunnel broker: sit 192.168.12.2 -> 216.218.221.42, mtu 1472\n"
      "    send packet (next hop 192.168.12.1 on eth0)\n"
      "                  packets           bytes         dropped            held\n"
      "    in                100           11000               6               1\n"
      "    out               200           22000               5               0\n"
      "    dropped             5  packet_too_big              " +
          std::string{facts(DropReason::packet_too_big).meaning} +
          "\n"
          "    dropped             6  inner_source_forbidden      " +
          std::string{facts(DropReason::inner_source_forbidden).meaning} +
          "\n"
          "    counted             4  errors_received             ICMPv4 errors about outer "
          "packets\n"
          "    counted             2  errors_relayed              of these, relayed to the "
          "inner sender\n"
          "    counted             5  too_big_sent                ICMP errors sent: Packet Too "
          "Big, fragmentation needed\n"
          "    counted             1  too_big_suppressed          such errors not sent because "
          "of the rate limit\n"
          "    counted            10  unreachable_sent            ICMP errors sent: destination "
          "unreachable\n"
          "    counted            11  unreachable_suppressed      such errors not sent because "
          "of the rate limit\n"
          "    counted             8  ecn_anomalies               packets whose ECN fields "
          "contradict each other (RFC 6040 4.2), forwarded\n"
          "  of no tunnel\n"
          "    dropped             3  tunnel_unknown              " +
          std::string{facts(DropReason::tunnel_unknown).meaning} +
          "\n"
          "    counted            12  unreachable_sent            ICMP errors sent: destination "
          "unreachable\n"
          "    dropped             9  receive_queue_full          dropped by the kernel "
          "before culvert received them: it is too slow\n");
}

TEST(ReportTable, SaysWhatIsBehindATunnelAndThatItIsDown) {
  DeviceReport status = example();
  TunnelConfig& tunnel = status.tunnels[0].config;
  tunnel.up = false;
  for (const char* prefix : {"2001:db8:1::/48", "2001:db8:2::/48", "2001:db8:3::/48"})
    tunnel.prefixes6.push_back(*proto::Ipv6Prefix::from_text(prefix));
  tunnel.prefixes4 = {*proto::Ipv4Prefix::from_text("10.0.0.0/8")};
  EXPECT_THAT(*report_table(report_json({&status, 1})),
              HasSubstr("mtu 1472, down\n    prefix 2001:db8:1::/48, 2001:db8:2::/48, "
                        "2001:db8:3::/48, 10.0.0.0/8\n    send"));
  tunnel.prefixes4.push_back(*proto::Ipv4Prefix::from_text("11.0.0.0/8"));
  const std::string text = report_json({&status, 1});
  EXPECT_THAT(*report_table(text), HasSubstr(", 10.0.0.0/8 and 1 more\n"));
  EXPECT_EQ(json::parse(text)["devices"][0]["tunnels"][0]["prefixes"].size(), 5u);
}

TEST(ReportTable, HasAReasonThatANewerProcessKnows) {
  json report = json::parse(report_json(std::vector<DeviceReport>{example()}));
  report["devices"][0]["tunnels"][0]["drops"]["bad_weather"] = 1;
  const auto table = report_table(report.dump());
  ASSERT_TRUE(table);
  EXPECT_THAT(*table, HasSubstr("1  bad_weather"));
}

}  // namespace
}  // namespace culvert::program
