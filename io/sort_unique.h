// sort_unique(): makes a vector a sorted set. Any thread.
#pragma once

#include <algorithm>
#include <vector>

namespace culvert::io {

template <class T>
void sort_unique(std::vector<T>& values) {
  std::sort(values.begin(), values.end());
  values.erase(std::unique(values.begin(), values.end()), values.end());
}

}  // namespace culvert::io
