#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Makes the files beside it with the original package: triggers stored by django-action-triggers, as Django dumps them,
and what the package sends for them. Run it again only to change them:

    python3 -m venv /tmp/dat && /tmp/dat/bin/pip install django-action-triggers[rabbitmq,kafka]==0.5.2 Django==5.0.14 \
        aiohttp redis boto3 google-cloud-pubsub
    /tmp/dat/bin/python tests/cli/dat/make_dump.py

dump.json      manage.py dumpdata contenttypes action_triggers
natural.json   manage.py dumpdata action_triggers --natural-foreign
settings.json  ACTION_TRIGGERS and ACTION_TRIGGER_SETTINGS of the project
sent.json      of each saved or deleted instance: the event, its payload, and what went to which broker"""

import io
import json
import logging
import pathlib
import sys
import types

import django
from django.conf import settings

HERE = pathlib.Path(__file__).parent
ACTION_TRIGGERS = {
    "brokers": {
        "order_events": {"broker_type": "kafka", "conn_details": {"bootstrap_servers": "localhost:9092"},
                         "params": {"topic": "orders"}},
        "mails": {"broker_type": "rabbitmq", "conn_details": {"host": "localhost", "password": "plain-secret"},
                  "params": {}},
        "cache": {"broker_type": "redis", "conn_details": {"url": "redis://localhost"}, "params": {"channel": "c"}},
    },
}
ACTION_TRIGGER_SETTINGS = {"MAX_BROKER_TIMEOUT": 20}
CREATED = "2024-05-01T12:00:00Z"


def set_up():
    app = types.ModuleType("shop")
    app.__path__ = [str(HERE)]
    app.__file__ = str(HERE / "shop.py")
    sys.modules["shop"] = app
    settings.configure(
        INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth", "shop", "action_triggers"],
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
        MIGRATION_MODULES={"shop": None}, USE_TZ=True, DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
        TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates"}],
        ACTION_TRIGGERS=ACTION_TRIGGERS, ACTION_TRIGGER_SETTINGS=ACTION_TRIGGER_SETTINGS)
    from django.apps import apps
    import django.apps.config
    # The models must exist before the package connects its signals to them, in its ready().
    create = django.apps.config.AppConfig.import_models

    def import_models(self):
        create(self)
        if self.label == "shop":
            make_models()
            self.models = apps.all_models["shop"]
    django.apps.config.AppConfig.import_models = import_models
    django.setup()
    from django.core.management import call_command
    call_command("migrate", run_syncdb=True, verbosity=0)


def make_models():
    from django.db import models

    class Order(models.Model):
        number = models.CharField(max_length=20)
        total = models.DecimalField(max_digits=10, decimal_places=2)
        note = models.CharField(max_length=100, blank=True)
        paid = models.BooleanField(default=False)

        class Meta:
            app_label = "shop"

    class Customer(models.Model):
        name = models.CharField(max_length=50)

        class Meta:
            app_label = "shop"
    globals().update(Order=Order, Customer=Customer)


def store_triggers():
    from action_triggers.models import Action, Config, ConfigSignal, MessageBrokerQueue, Webhook
    from django.contrib.contenttypes.models import ContentType

    def config(payload, models, signals, queues, active=True):
        made = Config.objects.create(payload=payload, active=active, created_on=CREATED)
        made.content_types.set(ContentType.objects.get_for_model(model) for model in models)
        for signal in signals:
            ConfigSignal.objects.create(config=made, signal=signal)
        for queue in queues:
            MessageBrokerQueue.objects.create(config=made, **queue)
        return made

    events = {"name": "order_events"}
    mail = {"name": "mails", "parameters": {"queue": "order_mails"}, "timeout_secs": 2.5}
    config(None, [Order, Customer], ["post_save", "post_delete"], [events])
    config({"number": "{{ instance.number }}", "text": "Order {{ instance.number }} of {{ instance.total }} EUR",
            "lines": ["{{ instance.note|default:'none' }}", 7], "nothing": "{{ instance.nobody }}"},
           [Order], ["post_save"], [events, mail])
    config("Order {{ instance.number }} was saved", [Order], ["post_save"], [mail])
    config('{"number": "{{ instance.number }}", "total": {{ instance.total }}}', [Order], ["pre_save"], [mail])
    config({"number": "{{ instance.number|lower }}"}, [Order], ["post_save"], [events])
    config(None, [Order], ["post_save"], [events], active=False)
    mixed = config({"number": "{{ instance.number }}", "vip": True}, [Order], ["post_save"],
                   [events, {"name": "cache"}, {"name": "gone", "parameters": {"queue": "q"}},
                    {"name": "order_events", "parameters": {"topic": "other"}},
                    {"name": "mails", "conn_details": {"port": 5673}, "parameters": {"queue": "second"}}])
    Webhook.objects.create(config=mixed, url="https://example.org/hook", http_method="POST",
                           headers={"Authorization": "Bearer plain-secret"})
    Action.objects.create(config=mixed, name="resize")
    only = config(None, [Customer], ["pre_delete"], [])
    Webhook.objects.create(config=only, url="https://example.org/gone", http_method="DELETE", headers=None)


def record():
    """What the package hands to its brokers, instance by instance."""
    from action_triggers import signals as package
    from action_triggers.message_broker import broker
    from action_triggers.payload import payload_from_instance
    from action_triggers.enums import SignalChoices

    said, sent = [], []

    def recording(kind):
        async def send_message(self, message):
            sent.append({"broker": self.key, "params": self.params, "body": message})
        kind.send_message = send_message
    for kind in (broker.KafkaBroker, broker.RabbitMQBroker):
        recording(kind)

    logging.disable()  # of brokers that cannot be reached
    handle, callback = package.handle_action, package.signal_callback
    now = {}

    def handle_action(config, instance):
        before = len(sent)
        handle(config, instance)
        said.append({**now, "config": config.pk, "sent": sent[before:]})
    package.handle_action = handle_action

    def signal(name, instance):
        from django.db.models import signals
        now.clear()
        now.update(event=f"{instance._meta.app_label}.{instance._meta.model_name}.{name}",
                   payload=payload_from_instance(instance))
        callback(instance, getattr(signals, name))

    order = Order(pk=42, number="A-42", total="99.90", note="by hand", paid=True)
    customer = Customer(pk=7, name="Jürgen")
    for name in ("pre_save", "post_save", "post_delete"):
        signal(name, order)
        signal(name, customer)
    return said


def dump(*arguments, **options):
    from django.core.management import call_command
    out = io.StringIO()
    call_command("dumpdata", *arguments, indent=1, stdout=out, **options)
    return json.loads(out.getvalue())


def write(name, value):
    (HERE / name).write_text(json.dumps(value, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    set_up()
    store_triggers()
    write("settings.json", {"ACTION_TRIGGERS": ACTION_TRIGGERS, "ACTION_TRIGGER_SETTINGS": ACTION_TRIGGER_SETTINGS})
    write("dump.json", dump("contenttypes", "action_triggers"))
    write("natural.json", dump("action_triggers", use_natural_foreign_keys=True))
    write("sent.json", record())
