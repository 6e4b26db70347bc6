#include "cluster/effects.h"

namespace cartwheel {

void Effects::Clear() {
  control.reset();
  sends.clear();
  sends_to_address.clear();
  answers.clear();
  log.clear();
  ring_changed = false;
  stop.reset();
}

}  // namespace cartwheel
