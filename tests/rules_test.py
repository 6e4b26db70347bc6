#!/usr/bin/python3
"""The rules of the house that a compiler does not know, by reading the sources.

    rules_test.py SOURCE_DIRECTORY    all findings, one a line; status 1 if there is any
    rules_test.py --self-test         plants violations and expects each to be found

1. Who may include whom: every folder names what is below it, and one library each sees uv.h, lmdb.h
   and the like.
2. The core (base, protocol, storage, values, cluster, without storage/lmdb) does no I/O, has no
   clock, no chance of its own, no threads, no logging, no environment, and keeps nothing static that
   changes.
3. The core does not walk hash maps: their order would leak into what nodes do, and a simulation
   would not repeat. Where order provably stays inside, a comment `// order stays inside: why` on
   the line or the one above says so.
"""

import pathlib
import re
import sys
import tempfile

# Folder, longest first: the folders of ours that its files may include.
MAY_INCLUDE = {
    "storage/lmdb": {"base", "storage", "storage/lmdb"},
    "storage/memory": {"base", "storage", "storage/memory"},
    "base": {"base"},
    "protocol": {"base", "protocol"},
    "storage": {"base", "storage"},
    "values": {"base", "values"},
    "cluster": {"base", "protocol", "storage", "values", "cluster"},
    "server": {"base", "protocol", "storage", "storage/lmdb", "storage/memory", "values", "cluster",
               "server"},
}
CORE = {"base", "protocol", "storage", "storage/memory", "values", "cluster"}
OURS = set(MAY_INCLUDE) | {"tests", "bench", "examples", "redis-tests"}

# A foreign header, and the folders of MAY_INCLUDE that may see it.
FOREIGN = [
    (r"uv\.h|uv/.*", {"server"}),
    (r"lmdb\.h", {"storage/lmdb"}),
    (r"spdlog/.*", {"server"}),
    (r"xxhash\.h", {"base"}),
    (r"openssl/.*", {"base", "server"}),
    (r"hiredis/.*|gtest/.*|gmock/.*|benchmark/.*", set()),
    (r"chrono|ctime|time\.h|sys/time\.h|sys/times\.h|absl/time/.*", {"server", "storage/lmdb"}),
    (r"random|sys/random\.h|absl/random/.*", {"server"}),
    (r"thread|mutex|shared_mutex|condition_variable|future|atomic|semaphore|barrier|latch|stop_token|"
     r"pthread\.h|absl/synchronization/.*", {"server", "storage/lmdb"}),
    (r"iostream|fstream|filesystem|syslog\.h|unistd\.h|fcntl\.h|sys/socket\.h|sys/stat\.h|dirent\.h|"
     r"netinet/.*|arpa/.*|netdb\.h|poll\.h|sys/mman\.h", {"server", "storage/lmdb"}),
]

# Banned in the core, each with what it is.
BANNED = [
    (r"\bstd\s*::\s*chrono\b|\b(gettimeofday|clock_gettime|clock_getres|times|mktime|localtime(_r)?|"
     r"gmtime(_r)?|strftime)\s*\(|(?<![\w.>])(std\s*::\s*|::\s*)?(time|clock)\s*\(\s*(nullptr|NULL|0|&\w+)?\s*\)\s*[;,)+*/%-]"
     r"|__rdtsc\b|__builtin_ia32_rdtsc", "a clock"),
    (r"\b(random_device|mt19937(_64)?|default_random_engine|getrandom|getentropy|arc4random\w*|"
     r"RAND_bytes)\b|(?<![\w.>])(std\s*::\s*|::\s*)?((rand|random|drand48)\s*\(\s*\)|(srand|srandom|rand_r)\s*\()",
     "a source of chance (use base/random.h)"),
    (r"\bstd\s*::\s*(jthread|thread|async|future|promise)\b|\bpthread_\w+|\bthread_local\b|"
     r"\bstd\s*::\s*this_thread\b", "a thread"),
    (r"\bstd\s*::\s*(\w*mutex|lock_guard|unique_lock|scoped_lock|shared_lock|condition_variable\w*|"
     r"atomic\w*|call_once|once_flag)\b|\babsl\s*::\s*(Mutex\w*|CondVar)\b", "a lock or an atomic"),
    (r"(?<![\w.>])(::\s*)?(usleep|sleep|nanosleep|sleep_for|sleep_until|poll|select|epoll_wait)\s*\(",
     "a sleep"),
    (r"\bspdlog\b|\bstd\s*::\s*(cout|cerr|clog)\b|(?<![\w.>])(std\s*::\s*)?"
     r"(printf|fprintf|vfprintf|puts|fputs|putchar|perror|syslog)\s*\(", "logging"),
    (r"\b(secure_getenv|getenv|setenv|putenv|unsetenv)\b|\benviron\b", "the environment"),
    (r"\b(fopen|freopen|fdopen|ifstream|ofstream|fstream|socket|epoll_create1?)\s*[({<]|"
     r"\bstd\s*::\s*filesystem\b", "I/O"),
]

# (file, what): the one place that prints is the one that aborts.
ALLOWED = {("base/check.cc", "logging")}

HASHED = r"\b(?:absl\s*::\s*|std\s*::\s*)?(?:flat_hash_|node_hash_|unordered_)(?:multi)?(?:map|set)\b"
EXCUSE = "order stays inside:"


def blank(match):
    return re.sub(r"[^\n]", " ", match.group(0))


def strip(text):
    """The text without comments and literals, line for line."""
    pattern = (r'R"(?P<tag>[^()\\\s]{0,16})\((?:.|\n)*?\)(?P=tag)"|//[^\n]*|/\*(?:.|\n)*?\*/|'
               r'"(?:\\.|[^"\\\n])*"|' r"(?<![0-9a-fA-F])'(?:\\.|[^'\\\n])+'")
    keep_include = re.compile(r'^[ \t]*#[ \t]*include[^\n]*', re.M)
    includes = {m.start(): m.group(0) for m in keep_include.finditer(text)}
    stripped = re.sub(pattern, blank, text)
    for start, line in includes.items():
        stripped = stripped[:start] + line + stripped[start + len(line):]
    return stripped


def folder_of(path):
    """The entry of MAY_INCLUDE (or of OURS) that a path such as storage/lmdb/log.h belongs to."""
    for folder in sorted(OURS, key=len, reverse=True):
        if path == folder or path.startswith(folder + "/"):
            return folder
    return None


def line_of(text, offset):
    return text.count("\n", 0, offset) + 1


def include_findings(path, folder, code):
    for match in re.finditer(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)[>"]', code, re.M):
        name, line = match.group(2), line_of(code, match.start())
        target = folder_of(name) if "/" in name else None
        if match.group(1) == '"' and target is None:
            yield line, f'"{name}": includes of ours are written from the root'
        elif target is not None and target not in MAY_INCLUDE[folder]:
            yield line, f"{folder}/ may not include {target}/ ({name})"
        for pattern, allowed in FOREIGN:
            if re.fullmatch(pattern, name) and folder not in allowed:
                yield line, f"{folder}/ may not see {name}"


def banned_findings(path, code):
    for pattern, what in BANNED:
        if (path, what) in ALLOWED:
            continue
        for match in re.finditer(pattern, code):
            yield line_of(code, match.start()), f"{what} in the core: {match.group(0).strip()}"


def static_findings(code):
    """Variables that are static, or stand alone at the left margin, and are not constant."""
    for match in re.finditer(r"^[ \t]*(?:inline\s+)?static\b([^;{}()=]*)([;{}()=])", code, re.M):
        declaration, end = match.group(1), match.group(2)
        if re.search(r"\b(const|constexpr|consteval|inline\s+constexpr|assert)\b", declaration):
            continue
        if end != "(":  # a function's name is followed by its parameters
            yield line_of(code, match.start()), "static state in the core:" + declaration.rstrip()
    variable = (r"^(?!(?:static|const|constexpr|inline|using|namespace|class|struct|enum|union|template|"
                r"typedef|extern|return|public|private|friend|concept|else|case|default|goto)\b)"
                r"[A-Za-z_][\w:<>,*& ]*[ >*&]\w+(?:\[\w*\])?\s*(?:=[^=;][^;]*|\{[^;}]*\})?;")
    for match in re.finditer(variable, code, re.M):
        if not re.search(r"\b(const|constexpr)\b", match.group(0).split("=")[0]):
            yield line_of(code, match.start()), "a variable of the whole program in the core: " + \
                " ".join(match.group(0).split())[:60]


def hashed_names(code):
    """Names of variables, members and parameters whose type is a hash map, also by an alias."""
    aliases = re.findall(r"\busing\s+(\w+)\s*=\s*" + HASHED, code)
    types = [HASHED] + [rf"\b{alias}\b" for alias in aliases]
    names = set()
    for kind in types:
        for match in re.finditer(kind, code):
            end, depth = match.end(), 0
            while end < len(code):  # past the template arguments
                if code[end] == "<":
                    depth += 1
                elif code[end] == ">":
                    depth -= 1
                elif depth == 0 and not code[end].isspace():
                    break
                end += 1
            name = re.match(r"[&*\s]*(?:const\s+)?(\w+)\s*[;={,)(]", code[end:])
            if name:
                names.add(name.group(1))
    return names


def walk_findings(code, raw, names):
    if not names:
        return
    any_name = "|".join(sorted(names))
    walks = [rf"\bfor\s*\([^;()]*(?:\([^()]*\)[^;()]*)*:\s*[^;{{}}]*?\b(?:{any_name})\s*(?:\)|$)",
             rf"\b(?:{any_name})\s*(?:\.|->)\s*c?begin\s*\(",
             rf"\bstd\s*::\s*c?begin\s*\(\s*[\w.>-]*\b(?:{any_name})\s*\)"]
    lines = raw.split("\n")
    for pattern in walks:
        for match in re.finditer(pattern, code):
            line = line_of(code, match.start())
            near = lines[max(0, line - 2):line]
            if not any(re.search(re.escape(EXCUSE) + r"\s*\S", text) for text in near):
                yield line, "a walk over a hash map in the core: " + " ".join(match.group(0).split())


def find_all(root):
    """[(path, line, what)] over the tree."""
    files = {}
    for top in sorted({folder.split("/")[0] for folder in MAY_INCLUDE}):
        for path in sorted((root / top).rglob("*")):
            if path.suffix in (".h", ".cc"):
                text = path.read_text(encoding="utf-8")
                files[path.relative_to(root).as_posix()] = (text, strip(text))
    findings = []
    for path, (raw, code) in files.items():
        folder = folder_of(path)
        found = list(include_findings(path, folder, code))
        if folder in CORE:
            found += banned_findings(path, code)
            found += static_findings(code)
            # Members are named in headers and walked elsewhere in the folder; their names end in
            # '_' or are reached through '.' and '->', so a folder's headers count for its files.
            names = hashed_names(code)
            for other, (_, other_code) in files.items():
                if other.endswith(".h") and folder_of(other) == folder:
                    names |= hashed_names(other_code)
            found += walk_findings(code, raw, names)
        findings += [(path, line, what) for line, what in found]
    return files, findings


# --- self test: each planted file, and a piece of what must be said of it (None: nothing) ---

PLANTS = [
    ("base/a.cc", '#include "storage/engine.h"\n', "may not include storage/"),
    ("protocol/a.h", '#include "cluster/node.h"\n', "may not include cluster/"),
    ("storage/a.cc", '#include "storage/lmdb/log.h"\n', "may not include storage/lmdb"),
    ("storage/memory/a.cc", '#include "storage/lmdb/log.h"\n', "may not include storage/lmdb"),
    ("cluster/a.cc", '#include "server/loop.h"\n', "may not include server/"),
    ("cluster/a.cc", '#include "storage/memory/engine.h"\n', "may not include storage/memory"),
    ("server/a.cc", '#include "tests/fake.h"\n', "may not include tests/"),
    ("cluster/a.cc", '#include "node.h"\n', "written from the root"),
    ("cluster/a.cc", "#include <uv.h>\n", "may not see uv.h"),
    ("storage/lmdb/a.cc", "#include <uv.h>\n", "may not see uv.h"),
    ("server/a.cc", "#include <lmdb.h>\n", "may not see lmdb.h"),
    ("storage/a.cc", "#include <lmdb.h>\n", "may not see lmdb.h"),
    ("cluster/a.cc", "#include <spdlog/spdlog.h>\n", "may not see spdlog"),
    ("storage/a.cc", "#include <xxhash.h>\n", "may not see xxhash.h"),
    ("cluster/a.cc", "#include <chrono>\n", "may not see chrono"),
    ("cluster/a.cc", "#include <mutex>\n", "may not see mutex"),
    ("protocol/a.cc", "#include <unistd.h>\n", "may not see unistd.h"),
    ("cluster/a.cc", "auto t = 1;\nvoid F() { int64_t t = std::chrono::seconds(1).count(); }", "a clock"),
    ("cluster/a.cc", "void F() { int64_t t = time(nullptr); }", "a clock"),
    ("cluster/a.cc", "void F() { clock_gettime(0, &t); }", "a clock"),
    ("storage/a.cc", "void F() { std::random_device device; }", "chance"),
    ("storage/a.cc", "int F() { return rand(); }", "chance"),
    ("cluster/a.cc", "void F() { std::thread t(G); }", "a thread"),
    ("cluster/a.cc", "void F() { std::lock_guard<std::mutex> g(m); }", "a lock"),
    ("cluster/a.h", "struct A { std::atomic<int> n; };", "a lock or an atomic"),
    ("base/a.cc", "void F() { usleep(10); }", "a sleep"),
    ("cluster/a.cc", 'void F() { spdlog::info("x"); }', "logging"),
    ("cluster/a.cc", 'void F() { std::fprintf(stderr, "x"); }', "logging"),
    ("base/a.cc", 'void F() { std::printf("x"); }', "logging"),
    ("cluster/a.cc", 'void F() { const char* h = getenv("HOME"); }', "the environment"),
    ("storage/a.cc", 'void F() { std::ofstream(path); }', "I/O"),
    ("cluster/a.cc", "void F() {\n  static int calls = 0;\n}", "static state"),
    ("cluster/a.cc", "static std::string last;\n", "static state"),
    ("cluster/a.h", "class A {\n  static int count_;\n};", "static state"),
    ("cluster/a.cc", "int g_calls = 0;\n", "variable of the whole program"),
    ("cluster/a.cc", "std::map<int, int> cache;\n", "variable of the whole program"),
    ("cluster/a.cc", "absl::flat_hash_map<int, std::vector<int>> m;\nvoid F() {\n"
     "  for (const auto& [k, v] : m) G(k);\n}", "a walk over"),
    ("cluster/a.h", "class A {\n  std::unordered_set<int> seen_;\n  void F() { G(*seen_.begin()); }\n};",
     "a walk over"),
    ("cluster/a.cc", "using Table = absl::flat_hash_map<int, int>;\nvoid F(const Table& table) {\n"
     "  for (auto& entry : table) G(entry);\n}", "a walk over"),
    ("cluster/a.cc", "void F(Parts& p) {\n  absl::flat_hash_set<int> links;\n"
     "  for (auto& entry : p.links) G(entry);\n}", "a walk over"),
    # What must not be found.
    ("cluster/a.cc", '#include <absl/container/flat_hash_map.h>\n\n#include "cluster/node.h"\n'
     '#include "storage/engine.h"\n#include "protocol/request_parser.h"\n', None),
    ("server/a.cc", '#include <uv.h>\n#include <chrono>\n#include "storage/lmdb/log.h"\n', None),
    ("storage/lmdb/a.cc", "#include <lmdb.h>\n#include <thread>\nvoid F() { std::mutex m; }", None),
    ("cluster/a.cc", "// std::thread and time(nullptr)\n/* rand() */\nconst char* kText = \"getenv(\";\n",
     None),
    ("cluster/a.h", "struct A {\n  uint64_t time() const;\n  int64_t clock = 0;\n};\n"
     "inline uint64_t F(const A& a) { return a.time(); }", None),
    ("cluster/a.cc", "static int Helper(int a) { return a; }\nstatic constexpr int kA = 1;\n"
     "constexpr char kB[] = \"x\";\nconst int kC = 2;\nstatic const char* const kNames[] = {};\n"
     "static_assert(kC == 2);\nusing A = int;\nenum class E { kA };\n", None),
    ("cluster/a.cc", "absl::flat_hash_map<int, int> Make();\nvoid F(std::vector<int>& list) {\n"
     "  absl::flat_hash_map<int, int> m;\n  for (int i : list) m[i]++;\n"
     "  for (int i = 0; i < 3; ++i) m.erase(i);\n  if (m.find(1) != m.end()) G();\n}", None),
    ("cluster/a.cc", "void F() {\n  absl::flat_hash_map<int, int> m;\n"
     "  // order stays inside: a sum does not depend on it\n  for (auto& [k, v] : m) sum += v;\n}", None),
    ("base/check.cc", 'void F() { std::fprintf(stderr, "x"); }', None),
    ("cluster/a.h", "struct A {\n  explicit A(uint64_t seed) : random(seed) {}\n  Random random;\n};", None),
    ("cluster/a.cc", "const uint64_t kLarge = 1'000'000;\nchar F() { return 'a'; }\n", None),
]


def self_test():
    wrong = 0
    for path, text, expected in PLANTS:
        with tempfile.TemporaryDirectory() as directory:
            root = pathlib.Path(directory)
            (root / path).parent.mkdir(parents=True)
            (root / path).write_text(text, encoding="utf-8")
            said = [what for _, _, what in find_all(root)[1]]
            good = not said if expected is None else any(expected in what for what in said)
            if not good:
                wrong += 1
                print(f"planted in {path}:\n{text}\n  expected {expected!r}, said {said}")
    print(f"{len(PLANTS)} planted files, {wrong} judged wrongly")
    return 1 if wrong else 0


def main():
    if sys.argv[1:] == ["--self-test"]:
        sys.exit(self_test())
    files, findings = find_all(pathlib.Path(sys.argv[1]).resolve())
    for path, line, what in findings:
        print(f"{path}:{line}: {what}")
    print(f"{len(files)} files, {len(findings)} findings")
    if len(files) < 10:
        sys.exit("rules_test: that is not Cartwheel's source directory")
    sys.exit(1 if findings else 0)


if __name__ == "__main__":
    main()
