// Signals are the main thread's: who starts threads keeps the ending signals from them. Any thread.
#pragma once

#include <pthread.h>

#include <csignal>

namespace culvert::program {

/// While it lives, threads that are started take no signals: the main thread does.
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
