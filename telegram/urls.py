from django.urls import re_path

from telegram.receiving.views import WebhookView

urlpatterns = [re_path(r"^intake/telegram/?$", WebhookView.as_view(), name="telegram-webhook")]
