// Segment: an Ethernet segment with an NDP responder (culvert or ndppd) and a solicitor.
//
//     namespace solicitor                   namespace responder
//     fe80::1 lan ------------------------- lan fe80::2  [culvert or ndppd]
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "bench/e2e/namespace.h"
#include "bench/e2e/process.h"
#include "bench/e2e/server/plan.h"
#include "bench/e2e/server/solicitor.h"
#include "bench/e2e/shared.h"

namespace culvert::bench::server {

inline constexpr char kLan[] = "lan";
/// The prefix for which the responder answers.
[[nodiscard]] proto::Ipv6Prefix proxied_prefix();
[[nodiscard]] proto::Ipv6Prefix solicitor_address();

/// Joins two namespaces with a veth pair without offloads; each side gets an address.
[[nodiscard]] Result<void> join(const std::string& device, const Namespace& solicitor,
                                const Namespace& responder);

class Segment {
 public:
  enum class Responder : std::uint8_t { culvert, ndppd };

  /// Starts responder and solicitors. Returns after the first advertisement. `options`: for
  /// `culvert run`.
  [[nodiscard]] static Result<std::unique_ptr<Segment>> open(
      Responder responder, const std::vector<program::OptionText>& options);

  [[nodiscard]] const std::string& name() const noexcept { return name_; }

  struct Answers {
    double per_second = 0;
    double unanswered = 0;
  };
  /// Measures for a second. `outstanding`: an element of kOutstanding.
  [[nodiscard]] Result<Answers> measure(std::size_t outstanding);
  static constexpr std::size_t kOutstanding[] = {64, 1};

 private:
  Segment(std::string name, Namespace solicitor, Namespace responder) noexcept
      : name_(std::move(name)),
        solicitor_(std::move(solicitor)),
        responder_(std::move(responder)) {}
  [[nodiscard]] Result<void> start_responder(Responder responder,
                                             const std::vector<program::OptionText>& options);
  [[nodiscard]] Result<void> start_solicitor(std::size_t outstanding);
  [[nodiscard]] Result<void> wait_for_reply();
  [[nodiscard]] Result<void> check_running();

  struct Running {
    std::size_t outstanding;
    Shared<SolicitorState> state;
    Process process;
  };
  std::string name_;
  Namespace solicitor_;
  Namespace responder_;
  std::vector<Process> responders_;
  std::vector<Running> solicitors_;
};

}  // namespace culvert::bench::server
