// SPDX-License-Identifier: Apache-2.0
// sign: the sign at a shop's door, to be printed: who recognises whom, and where to read the notice

#include <algorithm>
#include <array>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

#include "crm/cli/command.h"
#include "crm/markup.h"
#include "provision/qr.h"

namespace welcome::crm::cli {

namespace {

// @WHO@ is who is responsible.
struct SignWords {
  std::string_view language;
  bool right_to_left;
  std::string_view title, phone, camera, others, choice, more;
};

constexpr std::array kSignWords{
    SignWords{
        "en", false, "We greet guests who asked for it",
        "A box of @WHO@ hears the phones of guests who agreed to it.",
        "A camera compares faces with those of guests who agreed to it. No picture is kept.",
        "Everybody else is not recognised: neither name nor phone nor face of theirs is kept.",
        "It is your choice, and the service is the same without. You can say no at any time.",
        "Who, what for, for how long, and how to say yes or no"},
    SignWords{"de", false, "Wir begrüßen Gäste, die es möchten",
              "Ein Gerät von @WHO@ hört die Handys von Gästen, die zugestimmt haben.",
              "Eine Kamera vergleicht Gesichter mit denen von Gästen, die zugestimmt haben. "
              "Kein Bild wird gespeichert.",
              "Alle anderen werden nicht erkannt: Weder Name noch Handy noch Gesicht wird "
              "gespeichert.",
              "Sie entscheiden, und der Service ist auch ohne derselbe. Sie können jederzeit Nein "
              "sagen.",
              "Wer, wofür, wie lange, und wie Sie Ja oder Nein sagen"},
    SignWords{"fr", false, "Nous saluons les clients qui le souhaitent",
              "Un appareil de @WHO@ entend les téléphones des clients qui ont donné leur accord.",
              "Une caméra compare les visages à ceux des clients qui ont donné leur accord. "
              "Aucune image n’est conservée.",
              "Les autres ne sont pas reconnus : ni leur nom, ni leur téléphone, ni leur visage "
              "n’est conservé.",
              "C’est votre choix, et le service est le même sans cela. Vous pouvez dire non à tout "
              "moment.",
              "Qui, pourquoi, combien de temps, et comment dire oui ou non"},
    SignWords{"ar", true, "نرحّب بالضيوف الذين طلبوا ذلك",
              "جهاز تابع لـ @WHO@ يلتقط هواتف الضيوف الذين وافقوا.",
              "كاميرا تقارن الوجوه بوجوه الضيوف الذين وافقوا. لا تُحفظ أي صورة.",
              "لا يُتعرَّف على أي شخص آخر: لا يُحفظ اسمه ولا هاتفه ولا وجهه.",
              "القرار لك، والخدمة هي نفسها من دونه. يمكنك أن تقول لا في أي وقت.",
              "من ولماذا وإلى متى، وكيف تقول نعم أو لا"},
};

constexpr std::string_view kSignSheet =
    "@page{size:A4;margin:16mm}"
    "body{font:13pt/1.35 system-ui,sans-serif;color:#111;background:#fff;margin:0 auto;max-width:"
    "178mm}"
    "section{border-top:1mm solid #111;padding-top:4mm;margin-top:8mm}"
    "section:first-child{border:0}"
    "h1{font-size:22pt;line-height:1.15;margin:0 0 4mm}p{margin:0 0 2mm}"
    "figure{display:flex;gap:8mm;align-items:center;margin:8mm 0 0}svg{width:42mm;height:42mm;flex:"
    "none}"
    "figcaption{font-size:12pt}footer{font-size:10pt;margin-top:6mm;color:#444}";

std::string with_controller(std::string_view text, const std::string& who) {
  std::string out(text);
  constexpr std::string_view kWho = "@WHO@";
  if (const auto at = out.find(kWho); at != std::string::npos) out.replace(at, kWho.size(), who);
  return out;
}

// With the four light modules around it that the standard wants.
std::string qr_drawing(const std::vector<std::string>& rows) {
  constexpr std::size_t kQuiet = 4;
  const std::string size = std::to_string(rows.size() + 2 * kQuiet);
  std::string path;
  for (std::size_t y = 0; y < rows.size(); ++y) {
    for (std::size_t x = 0; x < rows[y].size(); ++x) {
      if (rows[y][x] != '1') continue;
      path += "M" + std::to_string(x + kQuiet) + " " + std::to_string(y + kQuiet) + "h1v1h-1z";
    }
  }
  return R"(<svg viewBox="0 0 )" + size + " " + size + R"(" role="img"><path d=")" + path +
         R"("/></svg>)";
}

const SignWords& sign_words_in(const std::string& language) {
  for (const SignWords& words : kSignWords) {
    if (words.language == language) return words;
  }
  std::string all;
  for (const SignWords& words : kSignWords)
    all.append(all.empty() ? "" : ", ").append(words.language);
  throw Usage("--language " + language + ": there are " + all);
}

std::vector<const SignWords*> languages_of_sign(const Call& call) {
  std::vector<const SignWords*> all;
  const std::string list = call.text("language");
  for (std::size_t from = 0; from <= list.size();) {
    const auto to = std::min(list.find(',', from), list.size());
    all.push_back(&sign_words_in(list.substr(from, to - from)));
    from = to + 1;
  }
  return all;
}

std::string sign_section(const SignWords& words, const std::string& who, bool camera) {
  std::string out = "<section lang=\"" + std::string(words.language) + "\" dir=\"" +
                    (words.right_to_left ? "rtl" : "ltr") + "\">\n<h1>" +
                    escape_markup(words.title) + "</h1>\n";
  const auto line = [&](std::string_view text) {
    out += "<p>" + escape_markup(with_controller(text, who)) + "</p>\n";
  };
  line(words.phone);
  if (camera) line(words.camera);
  line(words.others);
  line(words.choice);
  return out + "</section>\n";
}

int sign(const Call& call) {
  call.at_most(0);
  const std::string page = call.text("page");
  if (!page.starts_with("https://")) throw Usage("--page is the address of your notice, https://…");
  const auto rows = provision::qr_rows(page);
  if (rows.empty()) throw Usage("--page is too long for a QR code");
  const auto languages = languages_of_sign(call);
  const Opened opened(call);
  const Settings& settings = opened.crm.settings();
  const std::string who = settings.controller.empty() ? settings.tenant : settings.controller;

  *call.out << "<!doctype html>\n<html lang=\"" << languages.front()->language
            << "\">\n<head><meta charset=\"utf-8\"><title>" << escape_markup(who)
            << "</title><style>" << kSignSheet << "</style></head>\n<body>\n";
  for (const SignWords* words : languages) {
    *call.out << sign_section(*words, who, !call.has("no-camera"));
  }
  *call.out << "<figure>" << qr_drawing(rows) << "<figcaption>";
  for (const SignWords* words : languages) {
    *call.out << "<p lang=\"" << words->language << "\" dir=\"auto\">" << escape_markup(words->more)
              << "</p>";
  }
  *call.out << "<p>" << escape_markup(page) << "</p></figcaption></figure>\n<footer>"
            << escape_markup(who) << " · " << escape_markup(settings.notice.id) << " "
            << escape_markup(settings.notice.version) << "</footer>\n</body>\n</html>\n";
  return kDone;
}

constexpr Option kSignOptions[] = {
    {"page", nullptr, "address of your notice, where people say yes or no; the QR code leads to it",
     false, true},
    {"language", "en", "en, de, fr, ar; several with commas, the first on top"},
    {"no-camera", nullptr, "for a shop without a camera", true},
};
constexpr Command kSignCommands[] = {
    {"sign", "", "the sign for a shop's door, as a page to print (HTML, on A4)", sign,
     kSignOptions},
};

}  // namespace

std::span<const Command> sign_commands() { return kSignCommands; }

}  // namespace welcome::crm::cli
