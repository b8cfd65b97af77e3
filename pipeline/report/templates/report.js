(function () {
  "use strict";
  var root = document.documentElement, button = document.getElementById("theme"), key = "seqpress-theme";
  function asked() { var m = /theme=(dark|light)/.exec(location.hash); return m && m[1]; }
  function kept() { try { return localStorage.getItem(key); } catch (e) { return null; } }
  function system() { return matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light"; }
  function show(theme) {
    root.setAttribute("data-theme", theme);
    button.textContent = theme === "dark" ? "Light theme" : "Dark theme";
  }
  show(asked() || kept() || system());
  button.hidden = false;
  button.addEventListener("click", function () {
    var next = root.getAttribute("data-theme") === "dark" ? "light" : "dark";
    show(next);
    try { localStorage.setItem(key, next); } catch (e) { /* private windows keep nothing; the page still turns */ }
  });
  addEventListener("beforeprint", function () {
    document.querySelectorAll("details").forEach(function (one) { one.open = true; });
  });
})();
