// The words, the help and the messages that come from the encapsulations' own tables. Each test
// goes through the list of encapsulations, so that a new one is tested as soon as it is in the list.
#include "tools/culvert/config/encapsulation_options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cctype>
#include <set>

#include "engine/model/encapsulation_names.h"
#include "engine/model/quoted.h"
#include "tools/culvert/config/command_line.h"

namespace culvert::program {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

Result<host::DeviceSettings> parse(std::vector<std::string> words) {
  words.insert(words.end(), {"remote", "192.0.2.2"});
  return parse_command_line("tun1", words, {});
}

TEST(EncapsulationOptions, AreWordsWithTheirHelp) {
  std::size_t count = 0;
  const std::string help = describe_words();
  for_each_encapsulation([&](auto encapsulation) {
    for (const auto& option : encapsulation.kOptions) {
      ++count;
      const Option* word = find_option(option.name);
      ASSERT_NE(word, nullptr) << option.name;
      EXPECT_EQ(word->scope, Option::Scope::tunnel);
      EXPECT_EQ(word->kind, option.is_flag() ? Option::Kind::flag : Option::Kind::value);
      EXPECT_EQ(word->argument, option.argument);
      EXPECT_THAT(help, HasSubstr(alternatives(encapsulations_with_option(option.name)) + ": " +
                                  std::string{word->help} + "\n"));
    }
  });
  EXPECT_GE(count, parameter_words().size());  // encapsulations may share a word
  EXPECT_FALSE(parameter_words().empty());
}

TEST(EncapsulationOptions, SetTheParametersOfTheirMode) {
  for_each_encapsulation([](auto encapsulation) {
    using E = decltype(encapsulation);
    for (const auto& option : E::kOptions) {
      std::vector<std::string> words{std::string{option.name}};
      typename E::Parameters expected;
      if (const auto* flag = std::get_if<0>(&option.members)) {
        flag->set(expected, true);
      } else {
        words.emplace_back("7");
        std::get<1>(option.members).set(expected, 7);
      }
      words.insert(words.end(), {"mode", std::string{E::kName}});
      const auto settings = parse(words);
      ASSERT_TRUE(settings) << settings.error().message();
      EXPECT_EQ(settings->config.tunnels[0].mode, Parameters{expected}) << option.name;
      EXPECT_NE(settings->config.tunnels[0].mode, Parameters{typename E::Parameters{}});
    }
  });
}

TEST(EncapsulationOptions, HaveNamesOfTheirOwn) {
  std::set<std::string_view> names{""};  // words without an alias
  for (const Option& word : options()) {
    EXPECT_TRUE(names.insert(word.name).second) << word.name;
    EXPECT_EQ(names.insert(word.alias).second, !word.alias.empty()) << word.alias;
  }
}

TEST(EncapsulationOptions, MakeTheWordMode) {
  const Option mode = mode_word();
  std::set<std::string> names;
  std::string argument;
  for_each_encapsulation([&](auto encapsulation) {
    const std::string name{encapsulation.kName};
    argument += (argument.empty() ? "" : "|") + name;
    EXPECT_THAT(std::string{mode.help}, HasSubstr(name + ": " + std::string{encapsulation.kHelp}));
    std::vector<std::string> all{name};
    all.insert(all.end(), encapsulation.kAliases.begin(), encapsulation.kAliases.end());
    for (const std::string& each : all) {
      EXPECT_TRUE(names.insert(each).second) << each;
      const auto settings = parse({"mode", each});
      ASSERT_TRUE(settings) << settings.error().message();
      EXPECT_EQ(encapsulation_name(settings->config.tunnels[0].mode), name) << each;
    }
  });
  EXPECT_EQ(mode.argument, argument);
}

TEST(EncapsulationOptions, AreSuggestedForTheNamesOfOtherSystems) {
  for_each_encapsulation([](auto encapsulation) {
    const std::string name{encapsulation.kName};
    const auto expect_suggested = [&](const std::string& mode) {
      const auto settings = parse({"mode", mode});
      ASSERT_FALSE(settings) << mode;
      EXPECT_THAT(settings.error().advice, HasSubstr("is " + culvert::quoted(name) + " meant?"))
          << mode;
      EXPECT_THAT(settings.error().advice, HasSubstr(alternatives(encapsulation_names())));
    };
    for (const std::string_view each : encapsulation.kForeignNames)
      expect_suggested(std::string{each});
    expect_suggested(name + "0");
    std::string upper = name;
    for (char& c : upper) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    expect_suggested(upper);
    expect_suggested(name + "s");
  });
  for (const char* unlike : {"ip6gre", "gretap", "isatap", "vxlan", "41", ""})
    EXPECT_THAT(parse({"mode", unlike}).error().advice, Not(HasSubstr("meant"))) << unlike;
}

TEST(EncapsulationOptions, AreNamedInMessages) {
  const std::string all = alternatives(encapsulation_names());
  EXPECT_EQ(parse({}).error().advice, "is missing: write " + all);
  EXPECT_EQ(parse({"mode", "x"}).error().advice, "is not a mode of culvert: write " + all);
  EXPECT_EQ(parse({"mode", "sit", "seq"}).error().advice,
            "is a word for mode " + alternatives(encapsulations_with_option("seq")) +
                ", and this is mode sit: leave it out");
  EXPECT_EQ(parse({"mode", "sit", "route", "10.0.0.0/8"}).error().advice,
            "is IPv4, and mode sit carries IPv6 only: leave it out, or use mode " +
                alternatives(encapsulations_that_carry(proto::kProtocolTypeIpv4)));
}

TEST(EncapsulationOptions, IncludeThoseOfOneDirection) {
  const proto::Gre::Parameters gre;
  EXPECT_THAT(included_words(gre, "key"), ElementsAre("ikey", "okey"));
  EXPECT_THAT(included_words(gre, "csum"), ElementsAre("icsum", "ocsum"));
  EXPECT_THAT(included_words(gre, "iseq"), IsEmpty());
  EXPECT_THAT(included_words(gre, "ttl"), IsEmpty());
  EXPECT_THAT(included_words(proto::SixInFour::Parameters{}, "key"), IsEmpty());
}

}  // namespace
}  // namespace culvert::program
