// The answers to requests, and how a client reads them.
#include "tools/culvert/daemon/requests.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <nlohmann/json.hpp>

#include "tools/culvert/show/report.h"

namespace culvert::program {
namespace {

using nlohmann::json;
using testing::ElementsAre;
using testing::HasSubstr;

DeviceReport device(const std::string& name, const std::vector<std::string>& tunnels) {
  DeviceReport status;
  status.device = name;
  for (const std::string& tunnel : tunnels) {
    status.tunnels.emplace_back();
    status.tunnels.back().config.name = tunnel;
  }
  return status;
}

/// Handlers with two devices. They record the changes.
struct RequestsRig {
  std::vector<DeviceReport> devices{device("a", {"alice", "bob"}), device("b", {"b"})};
  std::optional<Error> refusal;
  TunnelCommand command;
  RequestHandlers handlers{.devices = [this] { return devices; },
                           .reload = [this]() -> Result<std::string> {
                             if (refusal) return Unexpected{*refusal};
                             return std::string{"1 tunnel added"};
                           },
                           .change_tunnel = [this](const TunnelCommand& change) -> Result<void> {
                             command = change;
                             if (refusal) return Unexpected{*refusal};
                             return {};
                           }};
};

TEST(AnswerRequest, ShowsAllOrOneTunnel) {
  const RequestsRig rig;
  EXPECT_EQ(answer_request(request_line("show"), rig.handlers), report_json(rig.devices));
  const json one = json::parse(answer_request(request_line("show", "bob"), rig.handlers));
  ASSERT_EQ(one["devices"].size(), 1u);
  ASSERT_EQ(one["devices"][0]["tunnels"].size(), 1u);
  EXPECT_EQ(one["devices"][0]["tunnels"][0]["name"], "bob");
}

TEST(AnswerRequest, ListsTheClaims) {
  RequestsRig rig;
  const std::string request = request_line("claims");
  EXPECT_EQ(answer_request(request, rig.handlers), R"({"claims":[]})");
  const TunnelClaim claim{.outer = {.ip_protocol = 41}, .dev = {}, .device = "a", .tunnel = "bob"};
  rig.handlers.claims = [&] { return std::vector{claim}; };
  EXPECT_EQ(answer_request(request, rig.handlers),
            R"({"claims":[[41,null,"any","any","","a","bob"]]})");
}

TEST(AnswerRequest, ChecksTheReceivers) {
  RequestsRig rig;
  int checked = 0;
  rig.handlers.check_receivers = [&] { ++checked; };
  EXPECT_TRUE(read_done(answer_request(request_line("check_receivers"), rig.handlers)));
  EXPECT_EQ(checked, 1);
}

TEST(AnswerRequest, NamesTheDevices) {
  const RequestsRig rig;
  EXPECT_THAT(read_names(answer_request(request_line("devices"), rig.handlers)),
              ElementsAre("a", "b"));
}

TEST(AnswerRequest, PassesATunnelCommandOn) {
  RequestsRig rig;
  const TunnelCommand command{"add", "a", "carol \"c\"", {"mode", "sit", "\xff\n"}};
  const auto done = read_done(answer_request(request_line(command), rig.handlers));
  ASSERT_TRUE(done);
  EXPECT_EQ(*done, "tunnel carol \"c\" of a: added");
  EXPECT_EQ(rig.command.action, "add");
  EXPECT_EQ(rig.command.device, "a");
  EXPECT_EQ(rig.command.tunnel, "carol \"c\"");
  ASSERT_EQ(rig.command.words.size(), 3u);
  EXPECT_EQ(rig.command.words[1], "sit");
}

TEST(AnswerRequest, PassesARefusalOn) {
  RequestsRig rig;
  EXPECT_EQ(*read_done(answer_request(request_line("reload"), rig.handlers)), "1 tunnel added");
  rig.refusal = Error{.code = EPERM, .operation = "add", .object = "x", .advice = "not today"};
  for (const std::string& line : {request_line("reload"), request_line(TunnelCommand{})}) {
    const auto refused = read_done(answer_request(line, rig.handlers));
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, EPERM);
    EXPECT_THAT(refused.error().advice, HasSubstr("not today"));
  }
}

TEST(AnswerRequest, RefusesTheRest) {
  const RequestsRig rig;
  for (const char* line : {"", "show", "{}", R"({"request":1})", R"({"request":"stop"})", "[[[[",
                           R"({"request":"tunnel","words":[1]})"}) {
    const json answer = json::parse(answer_request(line, rig.handlers));
    EXPECT_TRUE(answer.contains("error")) << line;
    EXPECT_EQ(answer["code"], 0) << line;
  }
}

TEST(ReadDone, SaysThatAnAnswerIsNone) {
  for (const char* answer : {"", "[]", "{}", R"({"error":7})"}) {
    EXPECT_FALSE(read_done(answer)) << answer;
    EXPECT_TRUE(read_names(answer).empty()) << answer;
  }
}

TEST(Requests, FlowsOfADevice) {
  RequestsRig rig;
  std::string asked_device;
  std::size_t asked_limit = 0;
  rig.handlers.flows = [&](std::string_view device, std::size_t limit) {
    asked_device = device;
    asked_limit = limit;
    return std::vector<DeviceFlows>{{.device = "b", .table = {}, .flows = {}}};
  };
  const auto answer = json::parse(answer_request(flows_request("b", 20), rig.handlers));
  EXPECT_EQ(answer.at("devices").at(0).at("name"), "b");
  EXPECT_EQ(asked_device, "b");
  EXPECT_EQ(asked_limit, 20u);
  (void)answer_request(R"({"request":"flows"})", rig.handlers);
  EXPECT_EQ(asked_device, "");
  EXPECT_EQ(asked_limit, kListedFlows);
  EXPECT_THAT(answer_request(R"({"request":"flows","limit":-1})", rig.handlers),
              HasSubstr("limit must be a number"));
}

}  // namespace
}  // namespace culvert::program
