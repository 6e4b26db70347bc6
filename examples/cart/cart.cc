// The shopping cart of the Dynamo paper with hiredis: the C++ twin of cart.py, which tells the
// story. Both keep a cart as lines `quantity item`, so they can share one.
//
//   cart demo [PORT PORT PORT]             on 7001, 7002 and 7003
//   cart add PORT CUSTOMER QUANTITY ITEM
//   cart show PORT CUSTOMER
#include <hiredis/hiredis.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <initializer_list>
#include <map>
#include <memory>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

namespace {

using Cart = std::map<std::string, int>;

[[noreturn]] void Fail(const std::string& why) {
  std::fprintf(stderr, "%s\n", why.c_str());
  std::exit(1);
}

Cart Parse(const std::string& text) {
  Cart cart;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    const size_t blank = line.find(' ');
    if (blank == std::string::npos) Fail("not a cart: " + text);
    cart[line.substr(blank + 1)] = std::atoi(line.c_str());
  }
  return cart;
}

std::string Format(const Cart& cart) {
  std::string text;
  for (const auto& [item, quantity] : cart) text += std::to_string(quantity) + " " + item + "\n";
  return text;
}

// Every item of every version, in the larger quantity: both sides' additions stay.
Cart Merge(const std::vector<Cart>& carts) {
  Cart merged;
  for (const Cart& cart : carts) {
    for (const auto& [item, quantity] : cart) merged[item] = std::max(merged[item], quantity);
  }
  return merged;
}

// What one read has seen: the versions, and the context that names them.
struct Versions {
  std::string context;
  std::vector<Cart> carts;
};

// The carts as one node shows them.
class Carts {
 public:
  explicit Carts(int port) : node_(redisConnect("127.0.0.1", port), redisFree) {
    if (node_ == nullptr || node_->err != 0) Fail("no node at port " + std::to_string(port));
  }

  Versions Load(const std::string& customer) {
    const Reply reply = Call({"DYN.GET", "cart:" + customer});
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 2) Fail("DYN.GET: not a pair");
    Versions versions;
    versions.context.assign(reply->element[0]->str, reply->element[0]->len);
    const redisReply& values = *reply->element[1];
    for (size_t i = 0; i < values.elements; ++i) {
      versions.carts.push_back(Parse({values.element[i]->str, values.element[i]->len}));
    }
    return versions;
  }

  // Replaces exactly the versions that the context names.
  void Save(const std::string& customer, const std::string& context, const Cart& cart) {
    Call({"DYN.PUT", "cart:" + customer, context, Format(cart)});
  }

 private:
  struct FreeReply {
    void operator()(redisReply* reply) const { freeReplyObject(reply); }
  };
  using Reply = std::unique_ptr<redisReply, FreeReply>;

  Reply Call(std::initializer_list<std::string> words) {
    std::vector<const char*> texts;
    std::vector<size_t> lengths;
    for (const std::string& word : words) {
      texts.push_back(word.data());
      lengths.push_back(word.size());
    }
    Reply reply(static_cast<redisReply*>(redisCommandArgv(
        node_.get(), static_cast<int>(texts.size()), texts.data(), lengths.data())));
    if (reply == nullptr) Fail(node_->errstr);
    if (reply->type == REDIS_REPLY_ERROR) Fail(reply->str);
    return reply;
  }

  std::unique_ptr<redisContext, decltype(&redisFree)> node_;
};

void Add(int port, const std::string& customer, int quantity, const std::string& item) {
  Carts carts(port);
  const Versions seen = carts.Load(customer);
  Cart cart = Merge(seen.carts);
  cart[item] += quantity;
  carts.Save(customer, seen.context, cart);
}

void Show(int port, const std::string& customer) {
  std::fputs(Format(Merge(Carts(port).Load(customer).carts)).c_str(), stdout);
}

void Demo(int phone_port, int laptop_port, int shop_port) {
  Carts phone(phone_port);
  Carts laptop(laptop_port);
  Carts shop(shop_port);
  const std::string customer = "ann-cc";
  phone.Save(customer, phone.Load(customer).context, {{"book", 1}});
  std::puts("a book is in the cart");

  // Both devices see the same cart, then both change it; neither knows of the other.
  const Versions on_phone = phone.Load(customer);
  const Versions on_laptop = laptop.Load(customer);
  Cart phone_cart = Merge(on_phone.carts);
  phone_cart["lamp"] = 1;
  phone.Save(customer, on_phone.context, phone_cart);
  Cart laptop_cart = Merge(on_laptop.carts);
  laptop_cart["kettle"] = 2;
  laptop.Save(customer, on_laptop.context, laptop_cart);
  std::puts("the phone adds a lamp, the laptop two kettles, at the same time");

  const Versions both = shop.Load(customer);
  std::printf("the third node has %zu versions:\n", both.carts.size());
  for (const Cart& cart : both.carts) std::printf("---\n%s", Format(cart).c_str());
  shop.Save(customer, both.context, Merge(both.carts));

  const Versions merged = phone.Load(customer);
  std::printf("merged, %zu version:\n---\n%s", merged.carts.size(),
              Format(Merge(merged.carts)).c_str());
  const std::vector<Cart> expected = {{{"book", 1}, {"lamp", 1}, {"kettle", 2}}};
  if (merged.carts != expected) Fail("an addition was lost");
}

}  // namespace

int main(int argc, char** argv) {
  const std::string_view verb = argc > 1 ? argv[1] : "";
  if (verb == "demo" && argc == 2) {
    Demo(7001, 7002, 7003);
  } else if (verb == "demo" && argc == 5) {
    Demo(std::atoi(argv[2]), std::atoi(argv[3]), std::atoi(argv[4]));
  } else if (verb == "add" && argc == 6) {
    Add(std::atoi(argv[2]), argv[3], std::atoi(argv[4]), argv[5]);
  } else if (verb == "show" && argc == 4) {
    Show(std::atoi(argv[2]), argv[3]);
  } else {
    Fail("cart demo [PORT PORT PORT] | add PORT CUSTOMER QUANTITY ITEM | show PORT CUSTOMER");
  }
}
