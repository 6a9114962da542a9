#include "bench/e2e/server/plan.h"

#include <algorithm>

#include "bench/e2e/error.h"

namespace culvert::bench::server {
namespace {

Result<void> add_work(const std::string& name, Plan& plan) {
  const auto works = all_works();
  const auto found = std::find_if(works.begin(), works.end(),
                                  [&](const WorkKind& work) { return work.name == name; });
  if (found != works.end()) {
    plan.works.push_back(*found);
    return {};
  }
  std::vector<std::string_view> known;
  for (const WorkKind& work : works) known.push_back(work.name);
  return refuse("--work", name, known);
}

}  // namespace

Result<Plan> make_plan(const Arguments& arguments, const Counts& counts) {
  // The common arguments are checked by the plan for tunnels.
  Arguments common = arguments;
  common.tunnels = {"culvert-sit"};
  common.works.clear();
  const auto checked = bench::make_plan(common);
  if (!checked) return Unexpected{checked.error()};
  if (checked->tunnels.size() > 1)
    return fail(0, "word '--server'", {}, "takes one value of each option of `culvert run`");
  Plan plan{.works = {},
            .options = checked->tunnels.front().options,
            .rounds = checked->rounds,
            .seconds = checked->seconds,
            .counts = counts};
  for (const std::string& name : arguments.works) {
    if (auto added = add_work(name, plan); !added) return Unexpected{added.error()};
  }
  if (plan.works.empty()) plan.works.assign(all_works().begin(), all_works().end());
  constexpr unsigned kMostSolicitations = 1'000'000'000;
  struct Count {
    const char* option;
    unsigned value, least, most;
  };
  for (const Count& count :
       {Count{"--count", counts.tunnels, 2, kMaxTunnels},
        Count{"--solicitations", counts.solicitations, 1, kMostSolicitations}}) {
    if (count.value >= count.least && count.value <= count.most) continue;
    return fail(0, std::string{"word '"} + count.option + "'", {},
                "must be " + std::to_string(count.least) + " to " + std::to_string(count.most));
  }
  return plan;
}

}  // namespace culvert::bench::server
