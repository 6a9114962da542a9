#include "engine/control/draft.h"

#include <algorithm>

#include "engine/control/values.h"

namespace culvert::control {

Draft::Draft(std::string_view device) { device_.config.device = device; }

const Draft::Seen* Draft::find(std::string_view word) const {
  const auto seen = std::find_if(seen_.begin(), seen_.end(),
                                 [&](const Seen& each) { return each.word->name == word; });
  return seen == seen_.end() ? nullptr : &*seen;
}

Complaint Draft::complain(std::string_view word, std::string text) const {
  if (word == "device") return {std::string{word}, device_.config.device, 0, std::move(text)};
  const Seen* seen = find(word);
  return {.word = std::string{word},
          .value = seen ? seen->given.text : "",
          .line = seen ? seen->given.line : 0,
          .text = std::move(text)};
}

Expected<void, Complaint> Draft::set(const Word& word, Given given) {
  const auto refuse = [&](std::string text) {
    return Unexpected{Complaint{std::string{word.name}, given.text, given.line, std::move(text)}};
  };
  if (word.kind != Word::Kind::list && find(word.name) != nullptr) {
    return refuse("is given twice: remove one of them");
  }
  if (const auto done = word.set({device_, tunnel_}, given); !done) return refuse(done.error());
  seen_.push_back({&word, std::move(given)});
  return {};
}

/// Words that are missing, that exclude each other, or that belong to another mode.
Expected<void, Complaint> Draft::check_words() const {
  if (!tunnel_.mode) return Unexpected{complain("mode", "is missing: write sit or gre")};
  if (!tunnel_.has_remote) {
    return Unexpected{complain("remote", "is missing: write the IPv4 address of the other end")};
  }
  const std::string_view mode = encapsulation_name(*tunnel_.mode);
  for (const auto& [word, given] : seen_) {
    if (!word->only_mode.empty() && word->only_mode != mode) {
      return Unexpected{complain(word->name, "is a word for mode " + std::string{word->only_mode} +
                                                 ", and this is mode " + std::string{mode} +
                                                 ": leave it out")};
    }
    for (const char direction : {'i', 'o'}) {  // `key` is both `ikey` and `okey`
      const std::string one_way = direction + std::string{word->name};
      if (find(one_way) != nullptr) {
        return Unexpected{complain(
            one_way, "is set by " + quoted(word->name) + " as well: write one of the two")};
      }
    }
  }
  return {};
}

/// An IPv4 address or route on a tunnel that cannot carry IPv4.
Expected<void, Complaint> Draft::check_payload() const {
  const auto carries = [&](std::uint16_t protocol_type) {
    return dispatch(*tunnel_.mode, [&](auto encapsulation, const auto&) {
      return encapsulation.carries(protocol_type);
    });
  };
  if (carries(proto::kProtocolTypeIpv4)) return {};
  for (const auto& [word, given] : seen_) {
    const bool is_prefix = word->kind == Word::Kind::list;
    if (is_prefix && given.text.find(':') == std::string::npos) {
      return Unexpected{Complaint{std::string{word->name}, given.text, given.line,
                                  "is IPv4, and mode " +
                                      std::string{encapsulation_name(*tunnel_.mode)} +
                                      " carries IPv6 only: leave it out, or use mode gre"}};
    }
  }
  return {};
}

Expected<DeviceSettings, Complaint> Draft::finish() && {
  if (const auto checked = check_words(); !checked) return Unexpected{checked.error()};
  if (const auto checked = check_payload(); !checked) return Unexpected{checked.error()};
  TunnelConfig& tunnel = tunnel_.config;
  if (tunnel.name.empty()) tunnel.name = device_.config.device;
  tunnel.mode = *tunnel_.mode;
  if (auto* gre = std::get_if<proto::Gre::Parameters>(&tunnel.mode)) *gre = tunnel_.gre;
  device_.config.tunnels = {tunnel};
  if (const auto valid = validate(device_.config); !valid) {
    const std::string& object = valid.error().object;  // "mtu 1200"
    return Unexpected{complain(object.substr(0, object.find(' ')), valid.error().advice)};
  }
  return std::move(device_);
}

}  // namespace culvert::control
