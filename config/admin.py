from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from identity.forms import LoginForm


class AdminSite(admin.AdminSite):
    site_header = site_title = _("Incident service")
    site_url = "/api/v1/schema/swagger-ui/"
    login_form = LoginForm
