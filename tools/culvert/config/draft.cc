#include "tools/culvert/config/draft.h"

#include <algorithm>
#include <array>
#include <utility>

#include "tools/culvert/config/values.h"

namespace culvert::control {
namespace {

bool carries_ipv4(const Parameters& mode) {
  return dispatch(mode, [](auto encapsulation, const auto&) {
    return encapsulation.carries(proto::kProtocolTypeIpv4);
  });
}

}  // namespace

// ---- a section ----------------------------------------------------------------------------------
const Draft::Seen* Draft::Section::find(std::string_view word) const {
  const auto found = std::find_if(seen.begin(), seen.end(),
                                  [&](const Seen& each) { return each.word->name == word; });
  return found == seen.end() ? nullptr : &*found;
}

/// The last place where a list has this prefix, however it is written there.
const Draft::Seen* Draft::Section::find_prefix(std::string_view word,
                                               std::string_view prefix) const {
  const auto is_it = [&](const Seen& each) {
    if (each.word->name != word) return false;
    const auto value = parse_route(each.given.text);
    return value && (value->is_ipv6 ? value->ipv6.to_text() : value->ipv4.to_text()) == prefix;
  };
  const auto found = std::find_if(seen.rbegin(), seen.rend(), is_it);
  return found == seen.rend() ? find(word) : &*found;
}

Complaint Draft::Section::complain(std::string_view word, std::string text) const {
  const Seen* const given = find(word);
  return {.word = std::string{word},
          .value = given ? given->given.text : "",
          .line = given ? given->given.line : line,
          .text = std::move(text)};
}

// ---- its words ----------------------------------------------------------------------------------
Draft::Draft(std::string_view device, unsigned line) : section_{.line = line} {
  device_.config.device = device;
}

void Draft::add_tunnel(unsigned line) {
  tunnels_.emplace_back();
  tunnels_.back().line = line;
}

void Draft::change_tunnel(const TunnelConfig& tunnel) {
  add_tunnel();
  TunnelDraft& said = tunnels_.back().said;
  said = {.config = tunnel,
          .mode = tunnel.mode,
          .has_remote = true,
          .gre = {},
          .has_old_prefixes = true,
          .has_old_accept = true};
  if (const auto* gre = std::get_if<proto::Gre::Parameters>(&tunnel.mode)) said.gre = *gre;
}

Expected<void, Complaint> Draft::set(const Word& word, Given given) {
  const auto refuse = [&](std::string text) {
    return Unexpected{Complaint{std::string{word.name}, given.text, given.line, std::move(text)}};
  };
  const bool is_device = word.scope == Word::Scope::device;
  if (!is_device && tunnels_.empty()) add_tunnel();
  Section& section = is_device ? section_ : tunnels_.back();
  if (word.kind != Word::Kind::list && section.find(word.name) != nullptr) {
    return refuse("is given twice: remove one of them");
  }
  TunnelDraft none;
  TunnelDraft& tunnel = is_device ? none : tunnels_.back().said;
  if (const auto done = word.set({device_, tunnel}, given); !done) return refuse(done.error());
  section.seen.push_back({&word, std::move(given)});
  return {};
}

// ---- all of them together -----------------------------------------------------------------------

/// Words that are missing, that exclude each other, or that belong to another mode.
Expected<void, Complaint> Draft::check_words(const Tunnel& tunnel) {
  if (!tunnel.said.mode) {
    return Unexpected{tunnel.complain("mode", "is missing: write sit or gre")};
  }
  if (!tunnel.said.has_remote) {
    return Unexpected{
        tunnel.complain("remote", "is missing: write the IPv4 address of the other end")};
  }
  const std::string_view mode = encapsulation_name(*tunnel.said.mode);
  for (const auto& [word, given] : tunnel.seen) {
    if (word->only_mode.empty()) continue;
    if (word->only_mode != mode) {
      return Unexpected{tunnel.complain(
          word->name, "is a word for mode " + std::string{word->only_mode} + ", and this is mode " +
                          std::string{mode} + ": leave it out")};
    }
    for (const char direction : {'i', 'o'}) {  // `key` is both `ikey` and `okey`
      const std::string one_way = direction + std::string{word->name};
      if (tunnel.find(one_way) != nullptr) {
        return Unexpected{tunnel.complain(
            one_way, "is set by " + quoted(word->name) + " as well: write one of the two")};
      }
    }
  }
  return {};
}

/// An IPv4 address, route or prefix where nothing can carry IPv4.
Expected<void, Complaint> Draft::check_payload(const Section& section, const Parameters& mode) {
  if (carries_ipv4(mode)) return {};
  for (const auto& [word, given] : section.seen) {
    const bool is_prefix = word->kind == Word::Kind::list;
    if (is_prefix && given.text.find(':') == std::string::npos) {
      return Unexpected{Complaint{std::string{word->name}, given.text, given.line,
                                  "is IPv4, and mode " + std::string{encapsulation_name(mode)} +
                                      " carries IPv6 only: leave it out, or use mode gre"}};
    }
  }
  return {};
}

Expected<void, Complaint> Draft::finish(Tunnel& tunnel) {
  if (auto checked = check_words(tunnel); !checked) return checked;
  TunnelDraft& said = tunnel.said;
  if (auto checked = check_payload(tunnel, *said.mode); !checked) return checked;
  said.config.mode = *said.mode;
  if (auto* gre = std::get_if<proto::Gre::Parameters>(&said.config.mode)) *gre = said.gre;
  return {};
}

/// A mistake that two tunnels make together stands where the second is; where the first is, the
/// sentence says.
Complaint Draft::to_complaint(const Clash& clash) const {
  const Tunnel& first = tunnels_[clash.first];
  const Tunnel& second = tunnels_[clash.second];
  const auto line_of = [&](const Tunnel& tunnel) {
    const Seen* seen = clash.word == "prefix" ? tunnel.find_prefix("prefix", clash.value)
                                              : tunnel.find(clash.word);
    return seen ? seen->given.line : tunnel.line;
  };
  const unsigned first_line = line_of(first);
  std::string text = clash.what;
  if (clash.first != clash.second && first_line != 0) {
    text += " (line " + std::to_string(first_line) + ")";
  }
  return {.word = std::string{clash.word},
          .value = clash.value,
          .line = line_of(second),
          .text = text + ": " + clash.advice};
}

/// What validate() says: "mtu 1200", or "alice, ttl 0" where there are several tunnels.
Complaint Draft::to_complaint(const Error& error) const {
  std::string_view object = error.object;
  const Section* section = tunnels_.size() == 1 ? &tunnels_.front() : &section_;
  for (const Tunnel& tunnel : tunnels_) {
    const std::string& name = tunnel.said.config.name;
    if (name.empty() || !object.starts_with(name + ", ")) continue;
    section = &tunnel;
    object.remove_prefix(name.size() + 2);
    break;
  }
  const std::string_view word = object.substr(0, object.find(' '));
  if (word == "device") {
    return {std::string{word}, device_.config.device, section_.line, error.advice};
  }
  if (section_.find(word) != nullptr) section = &section_;
  return section->complain(word, error.advice);
}

Expected<TunnelConfig, Complaint> Draft::finish_tunnel() && {
  if (const auto checked = finish(tunnels_.back()); !checked) return Unexpected{checked.error()};
  return std::move(tunnels_.back().said.config);
}

Expected<DeviceSettings, Complaint> Draft::finish() && {
  if (tunnels_.empty()) add_tunnel();  // which lacks all its words
  std::vector<TunnelConfig>& tunnels = device_.config.tunnels;
  tunnels.reserve(tunnels_.size());
  for (Tunnel& tunnel : tunnels_) {
    if (const auto checked = finish(tunnel); !checked) return Unexpected{checked.error()};
    tunnels.push_back(tunnel.said.config);
  }
  const auto most = std::find_if(tunnels.begin(), tunnels.end(), [](const TunnelConfig& tunnel) {
    return carries_ipv4(tunnel.mode);
  });
  const TunnelConfig& judge = most == tunnels.end() ? tunnels.front() : *most;
  if (const auto checked = check_payload(section_, judge.mode); !checked) {
    return Unexpected{checked.error()};
  }
  if (tunnels.size() == 1 && tunnels[0].name.empty()) tunnels[0].name = device_.config.device;
  if (const auto clash = find_clash(tunnels)) return Unexpected{to_complaint(*clash)};
  if (const auto valid = validate(device_.config); !valid) {
    return Unexpected{to_complaint(valid.error())};
  }
  return std::move(device_);
}

}  // namespace culvert::control
