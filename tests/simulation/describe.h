// Describer: versions and messages in words a reader of a trace can follow. Nodes are 1, 2, 3 ...,
// an actor is its node and a letter for each of its births in the order they were met: the first
// dot of node 1 for a key is 1a:1, after a restart 1b:1.
#pragma once

#include <map>
#include <span>
#include <string>
#include <string_view>

#include "storage/object.h"

namespace cartwheel::sim {

class Describer {
 public:
  std::string Of(const Dot& dot);
  std::string Of(const CausalContext& context);  // {1a:1-3 2a:5}
  std::string Of(const Sibling& sibling);        // value(1a:1), deleted(1a:2)
  std::string Of(const Object& object);          // {context} sibling sibling
  // "merge k {1a:1} v(1a:1)"; messages that are not about data by their type's number.
  std::string OfFrame(std::span<const std::string_view> fields);

 private:
  std::string Name(const Actor& actor);

  std::map<Actor, std::string> names_;
  std::map<uint64_t, int> births_of_node_;
};

}  // namespace cartwheel::sim
