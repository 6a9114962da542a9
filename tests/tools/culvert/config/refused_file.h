// Configuration files as text: parsed, and refused with a sentence that names the place.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tools/culvert/config/config_file.h"

namespace culvert::program {

inline Result<Settings> parse_file(const std::string& toml) {
  return parse_config(toml, "culvert.toml");
}

struct RefusedFile {
  std::string toml;
  std::string place;   ///< after the name of the file
  std::string advice;  ///< a part of its text
};

inline void expect_refused(const RefusedFile& file) {
  const auto settings = parse_file(file.toml);
  ASSERT_FALSE(settings) << file.toml;
  EXPECT_EQ(settings.error().code, 0);
  EXPECT_EQ(settings.error().operation, "read");
  EXPECT_EQ(settings.error().object, "culvert.toml" + file.place) << file.toml;
  EXPECT_THAT(settings.error().advice, testing::HasSubstr(file.advice)) << file.toml;
}

}  // namespace culvert::program
