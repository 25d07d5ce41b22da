//===- Windows.h - which positions of an image a window reads ---*- C++ -*-===//

#ifndef DIALECTS_TARN_WINDOWS_H
#define DIALECTS_TARN_WINDOWS_H

#include "llvm/ADT/SmallVector.h"

#include <cstdint>

namespace tarn::graph {

/// Windows over images of 1 to 3 dims; each list has one number a dim. Tap t of
/// window o reads the element i for which, along every dim,
/// `i * spacing = o * stride + t * dilation + offset`, and 0 where there is
/// none. Images, windows and taps are numbered row by row.
struct Windows {
  llvm::SmallVector<int64_t, 3> in, out, taps, strides, dilations, spacing,
      offsets;

  /// The number of dims.
  unsigned rank() const { return in.size(); }
  /// The numbers of positions of an image, of its windows, and of their taps.
  int64_t positions() const { return count(in); }
  int64_t windows() const { return count(out); }
  int64_t tapCount() const { return count(taps); }

  /// The position in the image that tap `tap` of window `window` reads, or -1.
  int64_t read(int64_t window, int64_t tap) const {
    int64_t position = 0, scale = 1;
    for (unsigned d = rank(); d-- > 0;) {
      int64_t o = window % out[d], t = tap % taps[d];
      window /= out[d];
      tap /= taps[d];
      int64_t at = o * strides[d] + t * dilations[d] + offsets[d];
      if (at < 0 || at % spacing[d] != 0 || at / spacing[d] >= in[d])
        return -1;
      position += at / spacing[d] * scale;
      scale *= in[d];
    }
    return position;
  }

  /// The windows through which every element sees those that read it.
  Windows adjoint() const {
    Windows result{out, in, taps, spacing, dilations, strides, offsets};
    for (unsigned d = 0; d != rank(); ++d) {
      result.dilations[d] = -dilations[d];
      result.offsets[d] = -offsets[d];
    }
    return result;
  }

private:
  static int64_t count(llvm::ArrayRef<int64_t> extents) {
    int64_t product = 1;
    for (int64_t extent : extents)
      product *= extent;
    return product;
  }
};

} // namespace tarn::graph

#endif // DIALECTS_TARN_WINDOWS_H
