from django.apps import AppConfig
from django.contrib.admin.apps import AdminConfig as DjangoAdminConfig


class DeskConfig(AppConfig):
    name = "desk"


class AdminConfig(DjangoAdminConfig):
    default_site = "desk.site.AdminSite"
