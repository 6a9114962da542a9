// The table of an encapsulation's options: which members an option sets, and which options it
// includes.
#include "proto/parameter_option.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "proto/gre.h"

namespace culvert::proto {
namespace {

const Gre::Option& option(std::string_view name) {
  const auto found = std::find_if(Gre::kOptions.begin(), Gre::kOptions.end(),
                                  [&](const Gre::Option& each) { return each.name == name; });
  EXPECT_NE(found, Gre::kOptions.end()) << name;
  return *found;
}
Gre::Parameters with_key(std::string_view name, std::uint32_t key) {
  Gre::Parameters parameters;
  std::get<Gre::Option::Key>(option(name).members).set(parameters, key);
  return parameters;
}
Gre::Parameters with_flag(std::string_view name) {
  Gre::Parameters parameters;
  std::get<Gre::Option::Flag>(option(name).members).set(parameters, true);
  return parameters;
}

TEST(ParameterOption, SetsOneDirectionOrBoth) {
  EXPECT_EQ(with_key("key", 7), (Gre::Parameters{.ikey = 7, .okey = 7}));
  EXPECT_EQ(with_key("ikey", 7), (Gre::Parameters{.ikey = 7, .okey = {}}));
  EXPECT_EQ(with_key("okey", 7), (Gre::Parameters{.ikey = {}, .okey = 7}));
  EXPECT_EQ(with_flag("csum"), (Gre::Parameters{.icsum = true, .ocsum = true}));
  EXPECT_EQ(with_flag("icsum"), (Gre::Parameters{.icsum = true}));
  EXPECT_EQ(with_flag("ocsum"), (Gre::Parameters{.ocsum = true}));
  EXPECT_EQ(with_flag("seq"), (Gre::Parameters{.iseq = true, .oseq = true}));
  EXPECT_EQ(with_flag("iseq"), (Gre::Parameters{.iseq = true}));
  EXPECT_EQ(with_flag("oseq"), (Gre::Parameters{.oseq = true}));
}

TEST(ParameterOption, IncludesThoseOfOneDirection) {
  for (const Gre::Option& each : Gre::kOptions) {
    for (const Gre::Option& other : Gre::kOptions) {
      const bool is_one_direction = other.name.substr(1) == each.name;  // "ikey" or "okey"
      EXPECT_EQ(each.includes(other), is_one_direction || each.name == other.name)
          << each.name << " " << other.name;
    }
  }
}

TEST(ParameterOption, HasAnArgumentUnlessItIsAFlag) {
  for (const Gre::Option& each : Gre::kOptions) {
    EXPECT_EQ(each.is_flag(), each.argument.empty()) << each.name;
  }
}

}  // namespace
}  // namespace culvert::proto
