#include "io/result.h"

#include <cstring>

namespace culvert {

std::string Error::message() const {
  std::string text = operation;
  if (!object.empty()) text += " " + object;
  if (code == 0) return advice.empty() ? text : text + ": " + advice;
  const char* name = ::strerrorname_np(code);
  text += ": " + (name != nullptr ? std::string{name} : "errno " + std::to_string(code));
  const char* description = ::strerrordesc_np(code);
  if (!advice.empty()) return text + " (" + advice + ")";
  return description != nullptr ? text + " (" + description + ")" : text;
}

}  // namespace culvert
