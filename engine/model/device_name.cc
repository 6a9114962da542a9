#include "engine/model/device_name.h"

#include "io/interface_name.h"

namespace culvert {

Result<void> check_interface_name(std::string_view word, const std::string& name) {
  const auto refuse = [&](std::string advice) {
    return Unexpected{Error{.code = 0,
                            .operation = "configure",
                            .object = std::string{word} + " '" + name + "'",
                            .advice = std::move(advice)}};
  };
  if (name.size() > io::kMaxInterfaceNameBytes)
    return refuse("has " + std::to_string(name.size()) + " characters; Linux allows 15");
  // With '%' the kernel could choose another name.
  if (!io::is_interface_name(name) || name.find('%') != std::string::npos)
    return refuse("a name has 1 to 15 characters, no space, '/', ':' or '%'");
  return {};
}

}  // namespace culvert
