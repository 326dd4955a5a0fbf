"""URLs of notifications."""

from django.urls import path

from portal.notifications import views

app_name = "notifications"
urlpatterns = [
    path("", views.notifications, name="list"),
    path("area/", views.area, name="area"),
    path("seen/", views.seen, name="seen"),
    path("dismiss/", views.dismiss_completed, name="dismiss-completed"),
    path("<uuid:notification_id>/dismiss/", views.dismiss, name="dismiss"),
]
