// SPDX-License-Identifier: MIT
#include "live/certificates.hpp"

#include <filesystem>

#include "live/servers.hpp"

namespace action_triggers::tests {
namespace {

class Folder {
 public:
  Folder() : path_(Servers::variable("AT_RUN") + "/certificates") {
    if (std::filesystem::exists(path_ / "encrypted.key")) return;
    std::filesystem::create_directories(path_);
    in_it("openssl req -x509 -newkey rsa:2048 -nodes -days 30 -subj '/CN=private CA' -keyout ca.key -out ca.pem");
    signed_by_the_authority("server", "DNS:localhost", 30);
    signed_by_the_authority("address", "IP:127.0.0.1", 30);
    signed_by_the_authority("elsewhere", "DNS:example.org", 30);
    signed_by_the_authority("expired", "DNS:localhost", 0);  // valid for no time at all
    signed_by_the_authority("client", "DNS:client", 30);
    in_it(
        "openssl req -x509 -newkey rsa:2048 -nodes -days 30 -subj /CN=localhost -addext subjectAltName=DNS:localhost "
        "-keyout selfsigned.key -out selfsigned.pem");
    in_it("for n in server elsewhere expired client selfsigned; do cat $n.key $n.pem > $n.keystore.pem; done");
    in_it("openssl pkey -in client.key -aes256 -passout pass:secret -out encrypted.key");  // the last one
  }

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  void in_it(const std::string& command) const { run("cd '" + path_.string() + "' && (" + command + ")"); }
  void signed_by_the_authority(const std::string& name, const std::string& alternative, int days) const {
    in_it("openssl req -new -newkey rsa:2048 -nodes -subj /CN=" + name + " -keyout " + name + ".key -out " + name +
          ".csr && printf subjectAltName=" + alternative + " > ext && openssl x509 -req -in " + name +
          ".csr -CA ca.pem -CAkey ca.key -CAcreateserial -days " + std::to_string(days) + " -extfile ext -out " + name +
          ".pem");
  }

  const std::filesystem::path path_;
};

}  // namespace

std::string Certificates::path(const std::string& file) {
  static const Folder folder;
  return (folder.path() / file).string();
}

}  // namespace action_triggers::tests
