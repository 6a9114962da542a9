// SignalsBlocked: keeps signals away from new threads, so that only the main thread handles them.
// Any thread.
#pragma once

#include <pthread.h>

#include <csignal>

namespace culvert::program {

/// Threads that start during its lifetime block SIGINT, SIGTERM and SIGHUP.
class SignalsBlocked {
 public:
  SignalsBlocked() {
    sigset_t ours;
    sigemptyset(&ours);
    for (const int signal : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&ours, signal);
    pthread_sigmask(SIG_BLOCK, &ours, &before_);
  }
  ~SignalsBlocked() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  SignalsBlocked(const SignalsBlocked&) = delete;
  SignalsBlocked& operator=(const SignalsBlocked&) = delete;

 private:
  sigset_t before_{};
};

}  // namespace culvert::program
