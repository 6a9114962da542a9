#include "engine/forward/engine_io.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace culvert {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

OpenedIo opened_for(const Parameters& mode) {
  Config config;
  config.tunnels = {{.mode = mode}};
  OpenedIo opened;
  opened.demux = demux_rules(config);
  opened.link_type = link_type(mode);
  return opened;
}

TEST(EngineIo, RefusesAModeWhoseProtocolTheDeviceDoesNotReceive) {
  const OpenedIo opened = opened_for(proto::SixInFour::Parameters{});
  EXPECT_THAT(mode_refusal(opened, proto::SixInFour::Parameters{}), IsEmpty());
  EXPECT_THAT(mode_refusal(opened, proto::Gre::Parameters{}), HasSubstr("IP protocol"));
}

TEST(EngineIo, RefusesAModeOfAnotherLinkType) {
  OpenedIo opened = opened_for(proto::Gre::Parameters{});
  EXPECT_THAT(mode_refusal(opened, proto::Gre::Parameters{}), IsEmpty());
  opened.link_type = proto::LinkType::ethernet;
  EXPECT_THAT(mode_refusal(opened, proto::Gre::Parameters{}), HasSubstr("TUN and TAP"));
}

}  // namespace
}  // namespace culvert
