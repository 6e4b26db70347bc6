// Clients: all connected clients: who may connect, which of them want service before a loop turn
// ends, and who is closed for idleness or for not reading.
#pragma once

#include <uv.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "server/client.h"
#include "server/server.h"

namespace cartwheel {

class Clients {
 public:
  Clients(uv_loop_t* loop, Server* server);
  ~Clients();

  void Accept(uv_stream_t* listener, bool unix_socket);

  // A new turn: every client gets its share of commands, those first that had used up the last one.
  void BeginTurn();
  // Goes on with the clients that can; operations may start. True when there were any.
  bool ProcessWoken();
  // Writes the output of those that have some, as far as the engine has stored what it waits for.
  void Flush(uint64_t stored);
  bool AnyWoken() const { return !woken_.empty(); }
  // Some would go on at once in a next turn.
  bool AnySpent() const { return !spent_.empty(); }
  // For how long operations of the core have been too many for all clients that want some.
  int64_t PressedForUs();

  // CLIENT KILL; false when there is none.
  bool CloseNow(uint64_t id);

  // Once a second: `timeout`, and the soft output limit.
  void Sweep();
  // No command begins any more; clients close when their last answer is written.
  void Finish();
  void CloseAll();
  bool empty() const { return clients_.empty(); }

 private:
  bool Admit(Client* client, bool unix_socket);
  void Wake(Client* client);
  void Closed(Client* client);
  void Forget(Client* client);
  bool OverLimit(Client* client);

  uv_loop_t* loop_;
  Server* server_;
  ClientEvents events_;
  std::vector<std::unique_ptr<Client>> clients_;
  std::vector<Client*> woken_;
  std::vector<Client*> spent_;    // their share of this turn, and wait for the next
  std::vector<Client*> starved_;  // for the core's other operations to end
  std::vector<Client*> flush_due_;
  std::vector<Client*> run_out_;  // gone, and done with their EXEC
  std::vector<Client*> working_;  // the list that is being gone through
  uint64_t turn_ = 0;
  size_t share_ = 0;              // of each client, in commands
  int64_t pressed_since_us_ = 0;  // 0: it is not
  uint64_t next_id_ = 1;
  size_t served_ = 0;
  bool finishing_ = false;
};

}  // namespace cartwheel
