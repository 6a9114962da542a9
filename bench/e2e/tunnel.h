// Tunnel: one tunnel in its own rig. The destructor removes both. One thread.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <string>

#include "bench/e2e/echo.h"
#include "bench/e2e/path.h"
#include "bench/e2e/plan.h"
#include "bench/e2e/process.h"
#include "bench/e2e/rig.h"

namespace culvert::bench {

class Tunnel : public Path {
 public:
  /// Sets the tunnel up and waits until packets pass. Fails with EOPNOTSUPP, and the reason as
  /// advice, if this machine does not have this kind of tunnel.
  [[nodiscard]] static Result<std::unique_ptr<Tunnel>> open(const TunnelPlan& plan);

  [[nodiscard]] const std::string& name() const noexcept override { return name_; }
  [[nodiscard]] const Namespace& end(std::size_t index) const noexcept override {
    return rig_.ends[index];
  }
  [[nodiscard]] InnerAddress address(std::size_t end) const override { return inner_.address(end); }
  /// The tunnel's process at an endpoint; null for a kernel tunnel.
  [[nodiscard]] const Process* process(std::size_t end) const noexcept {
    return processes_[end] ? &*processes_[end] : nullptr;
  }
  [[nodiscard]] Result<void> check_running() override;
  [[nodiscard]] Echo& echo() noexcept { return *echo_; }

 private:
  Tunnel(const TunnelPlan& plan, Rig rig) noexcept
      : name_(plan.name), inner_(plan.inner), rig_(std::move(rig)) {}
  [[nodiscard]] Result<void> open_end(const TunnelPlan& plan, std::size_t end);
  [[nodiscard]] Result<void> start_process(const TunnelPlan& plan, std::size_t end);
  [[nodiscard]] Result<void> wait_for_device(const TunnelPlan& plan, std::size_t end);
  [[nodiscard]] Result<void> wait_for_reply();

  std::string name_;
  InnerNetwork inner_;
  Rig rig_;
  std::array<std::optional<Process>, kEnds> processes_;
  std::optional<Echo> echo_;
};

}  // namespace culvert::bench
