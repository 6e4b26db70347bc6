// Story: a text script of commands to a small simulated cluster, in the manner of etcd's. A block
// is command lines, a line of four dashes, and what they print, up to a blank line; lines that
// begin with # are the teller's. Nothing in it is random: each message takes one millisecond.
//
//   nodes COUNT [n=N] [r=R] [w=W]       a ring of so many nodes, numbered from 1; with
//                                       anti-entropy=on they compare what they hold, with
//                                       tombstone-age=10s dead versions are dropped so early
//   set NODE KEY VALUE                  a plain SET through that node; get, del, incr NODE KEY;
//                                       append, setnx NODE KEY VALUE; expire NODE KEY TIME
//   put NODE KEY ctx=NAME VALUE [as=NAME]    DYN.PUT with a context that was named, or ctx=none;
//   the
//                                       answer's context gets a name; dyndel NODE KEY ctx=NAME
//   siblings NODE KEY [as=NAME]         every version that a read sees, the read's context named
//   carry NODE FROM TO [nx]             every version of a key in the place of another's, as COPY
//                                       does; rename NODE FROM TO [nx] then deletes what was read
//   later COMMAND                       asks and does not wait; the answer is printed when it comes
//   copies KEY                          what each node's disk holds, hints too, nobody asked
//   prefers KEY                         the key's preference list
//   drop A->B, cut A->B, cut A<->B      messages vanish; with cut the connection breaks, too
//   clog A->B TIME                      what is sent in that time arrives at its end
//   skew NODE TIME, skew NODE -TIME     its wall clock jumps
//   break NODE                          all its connections are reset; they may be made again
//   heal                                ends all drops and cuts
//   crash NODE [tail|data], start NODE  a process ends (and loses that), and comes again
//   copy NODE                           its disk is copied; `crash NODE copied` restores that
//   crash-in-commit NODE STAGE          it ends in its next turn that writes: 0 before the control
//                                       image, 1 before the batch is written, 2 before anything
//                                       leaves
//   flip NODE                           its disk changes a record, whichever is there
//   full NODE, room NODE                its disk takes no new values; takes them again
//   pause NODE TIME, tick TIME          50ms, 10s
//   trace on, trace off                 whether messages about keys are printed as they arrive
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace cartwheel::sim {

struct StoryBlock {
  std::string before;  // blank lines and remarks
  std::vector<std::string> commands;
  std::string expected;
};

std::vector<StoryBlock> ParseStory(std::string_view text);
std::string FormatStory(const std::vector<StoryBlock>& blocks);

// The same blocks, with what the commands really print.
std::vector<StoryBlock> PlayStory(const std::vector<StoryBlock>& blocks);

}  // namespace cartwheel::sim
