#include "bench/e2e/plan.h"

#include <algorithm>
#include <array>
#include <utility>

#include "bench/e2e/error.h"
#include "bench/e2e/rig.h"
#include "engine/model/encapsulation_names.h"
#include "proto/encapsulation.h"
#include "tools/culvert/config/option_table.h"

namespace culvert::bench {
namespace {

using Kind = TunnelPlan::Kind;

constexpr auto kWorks = std::to_array<Work>({
    {"tcp1", "TCP, 1 flow", Work::Kind::tcp, 1, 0},
    {"tcp4", "TCP, 4 flows", Work::Kind::tcp, 4, 0},
    {"udp64", "UDP, 64 bytes of payload, overload", Work::Kind::udp, 1, 64},
    {"udp512", "UDP, 512 bytes of payload, overload", Work::Kind::udp, 1, 512},
    {"udp1280", "UDP, 1,280 bytes of payload, overload", Work::Kind::udp, 1, 1280},
    {"latency", "Latency, idle", Work::Kind::latency, 0, 0},
    {"latency-loaded", "Latency, while one TCP flow runs", Work::Kind::latency, 1, 0},
});

/// The values of --tunnels, and the kinds of tunnels that each selects.
struct TunnelWord {
  std::string_view word;
  std::string_view mode;  ///< mode of culvert; empty: every value of --mode
  std::vector<Kind> kinds;
};

const std::vector<TunnelWord>& tunnel_words() {
  static const std::vector<TunnelWord> words{
      {"culvert", "", {Kind::culvert}},
      {"culvert-sit", "sit", {Kind::culvert}},
      {"culvert-ipip", "ipip", {Kind::culvert}},
      {"culvert-gre", "gre", {Kind::culvert}},
      {"single", "", {Kind::single}},
      {"bare", "", {Kind::bare}},
      {"socat", "", {Kind::socat}},
      {"vxlan", "", {Kind::vxlan}},
      {"kernel", "", {Kind::kernel_sit, Kind::kernel_ipip, Kind::kernel_gre}},
      {"kernel-sit", "", {Kind::kernel_sit}},
      {"kernel-ipip", "", {Kind::kernel_ipip}},
      {"kernel-gre", "", {Kind::kernel_gre}},
  };
  return words;
}

struct KindProperties {
  std::string_view name;
  bool carries_ipv6;
  bool carries_ipv4;
};

const KindProperties& properties_of(Kind kind) {
  static constexpr std::array<KindProperties, 8> kProperties{{{"culvert", true, true},
                                                              {"single", true, true},
                                                              {"bare", true, false},
                                                              {"socat", true, true},
                                                              {"vxlan", true, true},
                                                              {"kernel-sit", true, false},
                                                              {"kernel-ipip", false, true},
                                                              {"kernel-gre", true, true}}};
  return kProperties[static_cast<std::size_t>(kind)];
}

/// A tunnel that the arguments name.
struct Candidate {
  Kind kind;
  std::string mode;   ///< of culvert
  bool is_necessary;  ///< otherwise it is left out if it does not carry the IP version of the run
};

std::string name_of(const Candidate& candidate) {
  std::string name{properties_of(candidate.kind).name};
  return candidate.mode.empty() ? name : name + "-" + candidate.mode;
}

bool carries(const Candidate& candidate, std::uint16_t protocol_type) {
  if (candidate.kind == Kind::culvert) {
    const auto modes = encapsulations_that_carry(protocol_type);
    return std::find(modes.begin(), modes.end(), candidate.mode) != modes.end();
  }
  const KindProperties& properties = properties_of(candidate.kind);
  return protocol_type == proto::kProtocolTypeIpv6 ? properties.carries_ipv6
                                                   : properties.carries_ipv4;
}

/// All combinations of one value per option.
std::vector<std::vector<program::OptionText>> combinations(
    const std::vector<OptionValues>& options) {
  std::vector<std::vector<program::OptionText>> all(1);
  for (const auto& [name, values] : options) {
    std::vector<std::vector<program::OptionText>> longer;
    for (const auto& before : all) {
      for (const std::string& value : values) {
        longer.push_back(before);
        longer.back().push_back({name, value});
      }
    }
    all = std::move(longer);
  }
  return all;
}

/// The name has only the options with several values.
std::string name_of(const Candidate& candidate, const std::vector<program::OptionText>& chosen,
                    const std::vector<OptionValues>& options) {
  std::string name = name_of(candidate);
  for (std::size_t i = 0; i < chosen.size(); ++i) {
    if (options[i].values.size() > 1) name += "/" + chosen[i].name + "=" + chosen[i].value;
  }
  return name;
}

Result<void> add_culvert(const Candidate& candidate, InnerNetwork inner, const Arguments& arguments,
                         Plan& plan) {
  for (const auto& chosen : combinations(arguments.options)) {
    TunnelPlan tunnel{Kind::culvert, name_of(candidate, chosen, arguments.options), candidate.mode,
                      chosen, inner};
    const auto words = culvert_arguments(tunnel, 0);
    if (auto read = program::parse_command_line(kTunnelDevice, words, chosen); !read)
      return Unexpected{read.error()};
    plan.tunnels.push_back(std::move(tunnel));
  }
  return {};
}

/// Adds the tunnels of one value of --tunnels.
Result<void> add_candidates(const std::string& word, const Arguments& arguments,
                            std::vector<Candidate>& candidates) {
  const auto& words = tunnel_words();
  const auto found = std::find_if(words.begin(), words.end(),
                                  [&](const TunnelWord& each) { return each.word == word; });
  if (found == words.end()) {
    std::vector<std::string_view> known;
    for (const TunnelWord& each : words) known.push_back(each.word);
    return refuse("--tunnels", word, known);
  }
  for (const Kind kind : found->kinds) {
    if (kind != Kind::culvert) {
      candidates.push_back({kind, {}, found->kinds.size() == 1});
      continue;
    }
    const auto modes =
        found->mode.empty() ? arguments.modes : std::vector<std::string>{std::string{found->mode}};
    for (const std::string& mode : modes) {
      const auto known = encapsulation_names();
      if (std::find(known.begin(), known.end(), mode) == known.end())
        return refuse("--mode", mode, known);
      candidates.push_back({kind, mode, true});
    }
  }
  return {};
}

/// The network that all necessary candidates carry.
Result<InnerNetwork> choose_inner_network(const std::vector<Candidate>& candidates) {
  std::string advice;
  for (const std::uint16_t type : {proto::kProtocolTypeIpv6, proto::kProtocolTypeIpv4}) {
    const auto other = std::find_if(candidates.begin(), candidates.end(), [&](const auto& each) {
      return each.is_necessary && !carries(each, type);
    });
    if (other == candidates.end()) return InnerNetwork{type};
    advice += name_of(*other) + " does not carry " + std::string{ip_version_name(type)} + ", ";
  }
  return fail(0, "word '--tunnels'", {}, advice + "and all tunnels of a run carry the same");
}

Result<void> add_tunnels(const Arguments& arguments, Plan& plan) {
  std::vector<Candidate> candidates;
  for (const std::string& word : arguments.tunnels) {
    if (auto added = add_candidates(word, arguments, candidates); !added) return added;
  }
  const auto inner = choose_inner_network(candidates);
  if (!inner) return Unexpected{inner.error()};
  for (const Candidate& each : candidates) {
    if (!carries(each, inner->protocol_type())) continue;
    if (each.kind != Kind::culvert) {
      plan.tunnels.push_back({each.kind, name_of(each), {}, {}, *inner});
    } else if (auto added = add_culvert(each, *inner, arguments, plan); !added) {
      return added;
    }
  }
  return {};
}

Result<void> add_work(const std::string& name, Plan& plan) {
  const auto* found = std::find_if(kWorks.begin(), kWorks.end(),
                                   [&](const Work& work) { return work.name == name; });
  if (found != kWorks.end()) {
    plan.works.push_back(*found);
    return {};
  }
  std::vector<std::string_view> known;
  for (const Work& work : kWorks) known.push_back(work.name);
  return refuse("--work", name, known);
}

Result<void> check_counts(const Arguments& arguments, const Plan& plan) {
  constexpr unsigned kMost = 86'400;
  const std::pair<const char*, unsigned> counts[] = {{"--rounds", arguments.rounds},
                                                     {"--seconds", arguments.seconds}};
  for (const auto& [option, count] : counts) {
    if (count < 1 || count > kMost)
      return fail(0, std::string{"word '"} + option + "'", {}, "must be 1 to 86400");
  }
  for (auto it = plan.tunnels.begin(); it != plan.tunnels.end(); ++it) {
    const auto same = [&](const TunnelPlan& other) { return other.name == it->name; };
    if (std::any_of(std::next(it), plan.tunnels.end(), same))
      return fail(0, "word '--tunnels'", {}, it->name + " is there twice");
  }
  return {};
}

}  // namespace

Unexpected<Error> refuse(std::string_view option, const std::string& word,
                         const std::vector<std::string_view>& known) {
  std::string advice = "must be one of";
  for (const std::string_view each : known) advice += " " + std::string{each};
  const std::string_view near = program::nearest(word, known);
  if (!near.empty()) advice = "is '" + std::string{near} + "' meant?";
  return fail(0, "word '" + std::string{option} + "', value '" + word + "'", {}, advice);
}

std::span<const Work> all_works() { return kWorks; }

std::vector<std::string> culvert_arguments(const TunnelPlan& plan, std::size_t end) {
  return {"mode",    plan.mode,
          "remote",  outer_address(1 - end).address.to_text(),
          "local",   outer_address(end).address.to_text(),
          "ttl",     "64",
          "address", to_text(plan.inner.prefix(end))};
}

Result<Plan> make_plan(const Arguments& arguments) {
  Plan plan{.tunnels = {}, .works = {}, .rounds = arguments.rounds, .seconds = arguments.seconds};
  if (auto added = add_tunnels(arguments, plan); !added) return Unexpected{added.error()};
  for (const std::string& name : arguments.works) {
    if (auto added = add_work(name, plan); !added) return Unexpected{added.error()};
  }
  if (plan.works.empty()) plan.works.assign(kWorks.begin(), kWorks.end());
  if (auto checked = check_counts(arguments, plan); !checked) return Unexpected{checked.error()};
  return plan;
}

}  // namespace culvert::bench
