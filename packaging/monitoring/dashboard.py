#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Makes dashboard.json, for Grafana 9 and newer: `tests/lint/run.py --fix` writes it, and the lint compares."""

import json

LAMPS = {"green": "green", "yellow": "orange", "red": "red", "off": "gray"}

# Title, kind, width of 24, unit, and what is asked with the name of each line. {b} are the boxes that are chosen.
ROWS = [
    ("Are they well?", [
        ("Boxes that answer", "stat", 4, "short", [("sum(welcomed_up{b})", "answer")]),
        ("Boxes that do not", "stat", 4, "short", [(
            "count(welcomed_up{b} == 0) or vector(0)", "do not")]),
        ("Lights that are red", "stat", 4, "short", [(
            'sum(welcomed_light{b,welcomed_light="red"}) or vector(0)', "red")]),
        ("Customers near", "stat", 4, "short", [("sum(welcomed_visits_near{b})", "near")]),
        ("Which runs what", "table", 8, "short", [("welcomed_info{b}", "")]),
        ("Lights (green 0, yellow 1, red 2)", "state-timeline", 24, "short", [(
            'max by (instance, light) (welcomed_light{b,welcomed_light="yellow"} or'
            ' 2 * welcomed_light{b,welcomed_light="red"})', "{{instance}} {{light}}")]),
    ]),
    ("Radio and cameras", [
        ("Adverts a second", "timeseries", 8, "short", [
            ("welcomed_radio_adverts_per_second{b}", "{{instance}}"),
            ("welcomed_radio_expected_per_second{b}", "{{instance}} expected")]),
        ("Trouble of the controller", "timeseries", 8, "short", [
            ("increase(welcomed_radio_restarts_total{b}[1h])", "{{instance}} restarts"),
            ("increase(welcomed_radio_stalls_total{b}[1h])", "{{instance}} deaf"),
            ("increase(welcomed_radio_hardware_errors_total{b}[1h])", "{{instance}} errors")]),
        ("Cameras", "timeseries", 8, "short", [
            ("rate(welcomed_camera_frames_total{b}[5m])", "{{instance}} {{camera}} frames a second"),
            ("rate(welcomed_camera_frames_bad_total{b}[5m])", "{{instance}} {{camera}} bad")]),
    ]),
    ("Customers", [
        ("Near, and in the store", "timeseries", 8, "short", [
            ("welcomed_visits_near{b}", "{{instance}} near"),
            ("welcomed_visits_in_store{b}", "{{instance}} in the store")]),
        ("Decisions an hour", "timeseries", 8, "short", [
            ("increase(welcomed_offers_total{b}[1h])", "{{instance}} offers"),
            ("increase(welcomed_prompts_total{b}[1h])", "{{instance}} prompts"),
            ("increase(welcomed_surveys_total{b}[1h])", "{{instance}} surveys")]),
        ("Why none was made, an hour", "timeseries", 8, "short", [(
            "sum by (why) (increase(welcomed_decisions_suppressed_total{b}[1h]))", "{{why}}")]),
    ]),
    ("Lines", [
        ("From the advert to the broker", "timeseries", 8, "s", [
            ("histogram_quantile(0.5, sum by (instance, le) (rate(welcomed_delivery_seconds_bucket{b}[15m])))",
             "{{instance}} half"),
            ("histogram_quantile(0.95, sum by (instance, le) (rate(welcomed_delivery_seconds_bucket{b}[15m])))",
             "{{instance}} 95 %")]),
        ("Messages that wait", "timeseries", 8, "short", [
            ("welcomed_outbox_uplink{b}", "{{instance}} for the CRM"),
            ("welcomed_outbox_floor{b}", "{{instance}} for the tablets"),
            ("welcomed_events_at_broker{b}", "{{instance}} at the broker")]),
        ("The CRM was heard, ago", "timeseries", 8, "s", [
            ("time() - (welcomed_crm_heard_timestamp_seconds{b} > 0)", "{{instance}}")]),
        ("Lines that are up", "timeseries", 8, "short", [("welcomed_link_up{b}", "{{instance}} {{link}}")]),
        ("Tablets heard lately", "timeseries", 8, "short", [("welcomed_tablets_heard{b}", "{{instance}}")]),
        ("Refused at the door, an hour", "timeseries", 8, "short", [
            ("increase(welcomed_messages_in_refused_total{b}[1h])", "{{instance}} {{why}}"),
            ("increase(welcomed_consents_refused_total{b}[1h])", "{{instance}} consents: {{why}}")]),
    ]),
    ("The machine", [
        ("Clock: believed, and agreed", "timeseries", 6, "short", [
            ("welcomed_clock_trusted{b}", "{{instance}} believed"),
            ("welcomed_clock_agreed{b}", "{{instance}} agreed")]),
        ("The certificate is good for", "timeseries", 6, "s", [
            ("welcomed_certificate_end_timestamp_seconds{b} - time()", "{{instance}}")]),
        ("Disk", "timeseries", 6, "bytes", [
            ("welcomed_disk_free_bytes{b}", "{{instance}} free"),
            ("welcomed_store_bytes{b}", "{{instance}} database")]),
        ("Errors of the database an hour", "timeseries", 6, "short", [
            ("increase(welcomed_store_errors_total{b}[1h])", "{{instance}}")]),
    ]),
]


def panel(number, title, kind, unit, asked, place):
    def query(text):
        return text.replace("{b}", '{instance=~"$box"}').replace("{b,", '{instance=~"$box",')

    shown = {"id": number, "title": title, "type": kind, "gridPos": place,
             "datasource": {"type": "prometheus", "uid": "$source"},
             "fieldConfig": {"defaults": {"unit": unit}, "overrides": []},
             "targets": [{"refId": chr(ord("A") + i), "expr": query(expression), "legendFormat": legend}
                         for i, (expression, legend) in enumerate(asked)]}
    if kind == "table":
        shown["targets"][0] |= {"format": "table", "instant": True}
        shown["transformations"] = [{"id": "organize", "options": {"excludeByName": {
            "Time": True, "Value": True, "__name__": True, "job": True}}}]
    if kind == "state-timeline":
        shown["fieldConfig"]["defaults"] |= {"color": {"mode": "thresholds"}, "thresholds": {
            "mode": "absolute", "steps": [
                {"color": LAMPS["green"], "value": None}, {"color": LAMPS["yellow"], "value": 1},
                {"color": LAMPS["red"], "value": 2}]}}
        shown["options"] = {"showValue": "never"}
    return shown


def dashboard():
    panels, number, y, last = [], 0, 0, 0
    for name, row in ROWS:
        number += 1
        panels.append({"id": number, "type": "row", "title": name, "gridPos": {"x": 0, "y": y, "w": 24, "h": 1}})
        x, y = 0, y + 1
        for title, kind, width, unit, asked in row:
            number += 1
            height = 4 if kind in ("stat", "table") else 8
            if x + width > 24:
                x, y = 0, y + last
            panels.append(panel(number, title, kind, unit, asked, {"x": x, "y": y, "w": width, "h": height}))
            x, last = x + width, height
        y += last
    variables = [
        {"name": "source", "type": "datasource", "query": "prometheus", "label": "Prometheus"},
        {"name": "box", "type": "query", "label": "Box", "multi": True, "includeAll": True, "refresh": 2,
         "datasource": {"type": "prometheus", "uid": "$source"},
         "query": "label_values(welcomed_up, instance)",
         "current": {"text": "All", "value": "$__all"}},
    ]
    return {"title": "welcomed", "uid": "welcomed", "schemaVersion": 38, "version": 1, "refresh": "1m",
            "tags": ["welcomed"], "time": {"from": "now-24h", "to": "now"}, "timezone": "browser",
            "templating": {"list": variables}, "panels": panels}


def text():
    """A panel in a line, so that a difference can be read."""
    made = dashboard()
    panels = ",\n".join(json.dumps(panel) for panel in made.pop("panels"))
    return json.dumps(made)[:-1] + ', "panels": [\n' + panels + "\n]}\n"


if __name__ == "__main__":
    print(text(), end="")
