// The filters of the usage page: the two days are asked only when the period is “from … to …”.
"use strict";

const period = document.getElementById("id_days");

function showDays() {
  for (const place of document.querySelectorAll("[data-custom-day]")) {
    place.hidden = period.value !== "custom";
  }
}

period.addEventListener("change", showDays);
showDays();
