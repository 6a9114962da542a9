// The work "ndp": advertisements per second of culvert and of ndppd, each on its own segment, for
// the same solicitations.
#include <cerrno>

#include "bench/e2e/server/segment.h"
#include "bench/e2e/server/server.h"

namespace culvert::bench::server {
namespace {

using Segments = std::vector<std::unique_ptr<Segment>>;

/// Leaves ndppd out if it is not installed.
Result<Segments> open_segments(Session& session) {
  Segments segments;
  for (const auto responder : {Segment::Responder::culvert, Segment::Responder::ndppd}) {
    auto segment = Segment::open(responder, session.plan().options);
    if (segment) {
      segments.push_back(std::move(*segment));
    } else if (segment.error().code == EOPNOTSUPP) {
      session.leave_out("ndppd", segment.error().advice);
    } else {
      return Unexpected{segment.error()};
    }
  }
  return segments;
}

}  // namespace

Result<void> measure_ndp(Session& session) {
  auto segments = open_segments(session);
  if (!segments) return Unexpected{segments.error()};
  return session.for_each_turn([&](Place place) -> Result<void> {
    for (const std::size_t outstanding : Segment::kOutstanding) {
      for (auto& segment : *segments) {
        session.show_step(place,
                          segment->name() + ", " + std::to_string(outstanding) + " outstanding");
        const auto answers = segment->measure(outstanding);
        if (!answers) return Unexpected{answers.error()};
        session.record(segment->name() + "_" + std::to_string(outstanding) + "_answers_per_second",
                       place, answers->per_second);
        session.record(segment->name() + "_" + std::to_string(outstanding) + "_unanswered", place,
                       answers->unanswered);
      }
    }
    return {};
  });
}

}  // namespace culvert::bench::server
