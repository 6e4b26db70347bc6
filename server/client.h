// Client: one client's connection on the loop: its socket, fed into and out of a Pipeline. Reading
// stops while the pipeline wants no input; output is flushed by the driver at the end of the loop
// turn. A client that has closed its side still gets the answers to what it sent.
#pragma once

#include <uv.h>

#include <functional>
#include <memory>
#include <string>

#include "server/pipeline.h"
#include "server/stream_writer.h"

namespace cartwheel {

class Client;

// What a client tells its owner.
struct ClientEvents {
  std::function<void(Client*)> woken;   // Process and Flush are wanted before the turn ends
  std::function<void(Client*)> closed;  // the loop has let go of it: it may be destroyed
};

class Client {
 public:
  Client(uv_loop_t* loop, Server* server, const ClientEvents* events, bool unix_socket);

  // Takes the connection that waits at the listener; a libuv error otherwise.
  int Accept(uv_stream_t* listener);
  // Begins to serve it.
  void Start(uint64_t id);
  // Answers with one line and closes.
  void Refuse(std::string_view line);

  void Process();
  // Writes what may be written; false when some must wait for the engine.
  bool Flush(uint64_t stored);
  void Close();
  bool closing() const { return uv_is_closing(&handle_.any) != 0; }
  // Its socket is gone, its EXEC is not done: Process goes on until this says no.
  bool Replaying() const { return pipeline_.Replaying(); }
  void RunOut() {
    running_out_ = true;
    pipeline_.RunOut();
  }
  bool running_out() const { return running_out_; }

  uv_tcp_t* tcp() { return &handle_.tcp; }
  Session& session() { return pipeline_.session(); }
  size_t output_bytes() const { return pipeline_.output_bytes() + writer_.kept_bytes(); }
  // A turn's share of commands.
  void Grant(size_t commands);
  bool Spent() const { return pipeline_.Spent(); }
  bool Starved() const { return pipeline_.Starved(); }
  bool WaitsForOthers() const { return pipeline_.WaitsForOthers(); }
  // Nothing asked that is not answered and sent.
  bool Quiet() const;
  // No command begins any more; it closes when the last answer is written.
  void Finish();
  // Gives back what an idle connection need not hold.
  void ReleaseMemory() { pipeline_.ReleaseInput(); }

  bool woken = false;         // on the owner's lists
  bool spent = false;         //
  bool flush_due = false;     //
  uint64_t turn = 0;          // it was granted its share of
  int64_t soft_since_us = 0;  // over the soft output limit since; 0: it is not

 private:
  void StartReading();
  void StopReading();
  void OnRead(ssize_t count);
  uv_stream_t* stream() { return reinterpret_cast<uv_stream_t*>(&handle_); }

  Server* server_;
  const ClientEvents* events_;
  union {
    uv_handle_t any;
    uv_tcp_t tcp;
    uv_pipe_t pipe;
  } handle_{};
  bool unix_socket_;
  bool reading_ = false;
  size_t read_bytes_ = 0;  // since the last share was granted
  bool end_of_input_ = false;
  bool running_out_ = false;
  Pipeline pipeline_;
  StreamWriter writer_;
};

}  // namespace cartwheel
