// The report of `show flows`.
#include "tools/culvert/show/flow_report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "proto/icmpv6.h"

namespace culvert::program {
namespace {

using nlohmann::json;
using testing::HasSubstr;
using testing::Not;

proto::Ipv6Address address(std::string_view text) { return *proto::Ipv6Address::from_text(text); }

FlowStatus tcp_flow() {
  FlowStatus status;
  status.tunnel = "alice";
  status.flow.key = {.far = address("2001:db8:f::2"),
                     .near = address("2001:db8::1"),
                     .word = 50'000u << 16 | 443,
                     .protocol = proto::kProtocolTcp};
  status.flow.pin = {.slot = 0,
                     .local = *proto::Ipv4Address::from_text("198.51.100.1"),
                     .remote = *proto::Ipv4Address::from_text("203.0.113.7"),
                     .interface_index = 0};
  status.flow.tracked = {FlowState::established, Direction::inbound};
  status.flow.age = std::chrono::minutes{3};
  status.flow.idle = std::chrono::seconds{7};
  status.flow.packets = 12'345;
  return status;
}

FlowStatus echo_flow() {
  FlowStatus status = tcp_flow();
  status.tunnel = "bob";
  status.flow.key.word = kEchoWord | 77;
  status.flow.key.protocol = proto::kProtocolIcmpv6;
  status.flow.pin = {};
  status.flow.tracked = {FlowState::opening, Direction::outbound};
  return status;
}

DeviceFlows broker() {
  DeviceFlows device{.device = "broker", .table = {}, .flows = {tcp_flow(), echo_flow()}};
  device.table = {.is_pinning = true, .limit = 65'536, .flows = 5, .counts = {}};
  device.table.counts.displaced = 2;
  device.table.counts.flow_table_full = 3;
  return device;
}

TEST(FlowReport, HasEachFlowForPrograms) {
  const DeviceFlows devices[] = {broker()};
  const json report = json::parse(flows_json(devices));
  const json& device = report.at("devices").at(0);
  EXPECT_EQ(device.at("name"), "broker");
  EXPECT_EQ(device.at("flows"), 5);
  EXPECT_EQ(device.at("limit"), 65'536);
  EXPECT_EQ(device.at("displaced"), 2);
  EXPECT_EQ(device.at("flow_table_full"), 3);
  const json& tcp = device.at("list").at(0);
  EXPECT_EQ(tcp, json::parse(R"({"protocol":"tcp","far":"2001:db8:f::2","near":"2001:db8::1",
      "far_port":50000,"near_port":443,"tunnel":"alice","state":"established","opened":"in",
      "age_seconds":180,"idle_seconds":7,"packets":12345,
      "local":"198.51.100.1","remote":"203.0.113.7"})"));
  const json& echo = device.at("list").at(1);
  EXPECT_EQ(echo.at("protocol"), "icmpv6");
  EXPECT_EQ(echo.at("identifier"), 77);
  EXPECT_EQ(echo.at("opened"), "out");
  EXPECT_FALSE(echo.contains("far_port"));
  EXPECT_FALSE(echo.contains("remote"));  // it went out by the tunnel's own addresses
}

TEST(FlowReport, IsATableForPeople) {
  const DeviceFlows devices[] = {broker()};
  const auto table = flows_table(flows_json(devices));
  ASSERT_TRUE(table);
  EXPECT_THAT(*table, HasSubstr("device broker: 5 flows of 65536, 2 displaced, 3 packets "
                                "without a free entry\n"));
  EXPECT_THAT(*table, HasSubstr("tcp       [2001:db8:f::2]:50000 [2001:db8::1]:443 alice"));
  EXPECT_THAT(*table, HasSubstr("icmpv6 77"));
  EXPECT_THAT(*table, HasSubstr("3 min"));
  EXPECT_THAT(*table, HasSubstr("and 3 more: --limit shows them"));
}

TEST(FlowReport, SaysThatPinningIsOff) {
  const DeviceFlows devices[] = {{.device = "tun", .table = {}, .flows = {}}};
  const auto table = flows_table(flows_json(devices));
  ASSERT_TRUE(table);
  EXPECT_EQ(*table, "device tun: pinning is off, so there is no flow table\n");
}

TEST(FlowReport, RefusesWhatIsNoReport) {
  EXPECT_FALSE(flows_table("{}"));
  EXPECT_FALSE(flows_table("[1"));
  const auto other_version = flows_table(R"({"devices":[{"name":"tun"}]})");
  ASSERT_FALSE(other_version);
  EXPECT_THAT(other_version.error().message(), HasSubstr("another version"));
}

}  // namespace
}  // namespace culvert::program
